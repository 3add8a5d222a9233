import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { temporaryFolder } from './keeper.js';
import { startProgram } from './program.js';
import { requireProgram } from './system-packages.js';

/** A document that the engine finds by a word of its title or content. */
export interface SearxDocument {
  title: string;
  url: string;
  content: string;
}

export interface SearxOptions {
  /**
   * Whether `format=json` is allowed. Where it is not, the answer is 403, as SearXNG's is.
   * @default true
   */
  json?: boolean | undefined;
  /** What there is to find; by default thirty documents about express and gateways. */
  documents?: readonly SearxDocument[] | undefined;
  /**
   * A server of the test's own, asked besides: `GET URL/?q=…&page=…`, answered with
   * `{ "items": [{ "title", "link", "text" }] }`.
   */
  engineUrl?: string | undefined;
}

/** A SearX of a test's own, on loopback, that asks nobody on the internet. */
export interface SearxServer {
  readonly port: number;
  readonly url: string;
  readonly pid: number;
  /** Its log: one line a request. */
  output(): string;
  /** Freezes it (SIGSTOP): connections stay open and nobody answers. */
  pause(): void;
  resume(): void;
  kill(): Promise<void>;
  stop(): Promise<void>;
}

const thirtyDocuments: readonly SearxDocument[] = Array.from({ length: 30 }, (_, i) => ({
  title: `Document ${i + 1} on signalbox`,
  url: `https://docs.example.com/${i + 1}`,
  content: `Text ${i + 1} about express and gateways`,
}));

/** Starts Debian's SearX on a free port, over documents of its own. */
export async function startSearx(options: SearxOptions = {}): Promise<SearxServer> {
  const { json = true, documents = thirtyDocuments, engineUrl } = options;
  await requireProgram('searx/webapp.py');
  const folder = temporaryFolder('searx');
  const settings = join(folder.path, 'settings.json');
  const database = join(folder.path, 'documents.db');
  const main = join(folder.path, 'main.py');

  try {
    // JSON is YAML, and needs no quoting by hand.
    writeFileSync(settings, JSON.stringify(searxSettings(json, database, engineUrl)));
    writeFileSync(main, MAIN);
    await fillDatabase(database, documents);
    const program = await startProgram(PYTHON, [main], {
      name: 'searx',
      cwd: folder.path,
      env: { SEARX_SETTINGS_PATH: settings, PYTHONPATH: undefined, PYTHONHOME: undefined },
      ready: /Running on http:\/\/127\.0\.0\.1:\d+/,
    });
    const [, url = ''] = await program.waitFor(/Running on (http:\/\/127\.0\.0\.1:\d+)/);
    return {
      url,
      port: Number(new URL(url).port),
      pid: program.pid,
      output: () => program.output(),
      pause: () => program.signal('SIGSTOP'),
      resume: () => program.signal('SIGCONT'),
      kill: async () => void (await program.kill()),
      async stop() {
        await program.kill();
        folder.remove();
      },
    };
  } catch (error) {
    folder.remove();
    throw error;
  }
}

// Debian's own: another Python that comes first on the PATH does not have the module.
const PYTHON = '/usr/bin/python3';

// SearX does not know `search.formats` yet; this is the check that SearXNG makes, before any other.
const MAIN = `
import flask
from searx import settings, webapp

formats = settings['search']['formats']


@webapp.app.before_request
def refuse_formats():
    if flask.request.path == '/search' and flask.request.values.get('format', 'html') not in formats:
        flask.abort(403)


webapp.run()
`;

const FILL = `
import json, sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute('create table documents (title text, url text, content text)')
connection.executemany('insert into documents values (:title, :url, :content)', json.loads(sys.argv[2]))
connection.commit()
`;

async function fillDatabase(database: string, documents: readonly SearxDocument[]): Promise<void> {
  await promisify(execFile)(PYTHON, ['-c', FILL, database, JSON.stringify(documents)]);
}

/** Complete: Debian ships no defaults, and every key is needed. */
function searxSettings(json: boolean, database: string, engineUrl: string | undefined): object {
  const templates = '/usr/share/python3-searx';
  return {
    general: { debug: false, instance_name: 'signalbox-test', contact_url: false, enable_stats: false },
    brand: {},
    search: {
      safe_search: 0,
      autocomplete: '',
      default_lang: 'en',
      ban_time_on_fail: 5,
      max_ban_time_on_fail: 120,
      formats: json ? ['html', 'json'] : ['html'],
    },
    server: {
      port: 0,
      bind_address: '127.0.0.1',
      secret_key: 'a-key-for-tests-0123456789',
      base_url: false,
      image_proxy: false,
      http_protocol_version: '1.1',
      method: 'GET',
      default_http_headers: {},
    },
    ui: {
      static_path: `${templates}/static`,
      templates_path: `${templates}/templates`,
      default_theme: 'oscar',
      default_locale: 'en',
      theme_args: { oscar_style: 'logicodev' },
    },
    outgoing: { request_timeout: 2.0, useragent_suffix: '', pool_connections: 10, pool_maxsize: 10 },
    checker: { off_when_debug: true },
    engines: [documentEngine(database), ...(engineUrl === undefined ? [] : [ownEngine(engineUrl)])],
    locales: { en: 'English' },
    doi_resolvers: { 'doi.org': 'https://doi.org/' },
    default_doi_resolver: 'doi.org',
  };
}

function documentEngine(database: string): object {
  return {
    name: 'documents',
    engine: 'sqlite',
    shortcut: 'doc',
    categories: 'general',
    database,
    query_str:
      "SELECT title, url, content FROM documents WHERE title LIKE '%' || :query || '%' OR content LIKE '%' || :query || '%'",
    limit: 10,
  };
}

function ownEngine(url: string): object {
  return {
    name: 'local',
    engine: 'json_engine',
    shortcut: 'loc',
    categories: 'general',
    enable_http: true,
    paging: true,
    search_url: `${url.replace(/\/$/, '')}/?q={query}&page={pageno}`,
    results_query: 'items',
    url_query: 'link',
    title_query: 'title',
    content_query: 'text',
  };
}
