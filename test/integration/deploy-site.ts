import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { request, type RequestOptions } from 'node:https';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { temporaryFolder } from '../support/keeper.js';
import { freePort } from '../support/ports.js';
import { startProgram, waitUntil, type Program } from '../support/program.js';
import { selfSigned } from '../support/self-signed.js';
import { requireProgram } from '../support/system-packages.js';

/** The folder that is /etc/nginx where it is in use. */
export const NGINX = fileURLToPath(new URL('../../examples/orchestrator/deploy/nginx/', import.meta.url));
export const NAME = 'signalbox.example';

/** A file that an ACME client left for a certificate authority, below the folder of the site. */
const CHALLENGE = 'acme/.well-known/acme-challenge/token';

export interface SiteOptions {
  /** Addresses, `127.0.0.1:PORT`, in the place of the one that the file names. */
  apps: readonly string[];
  searxng: string;
  /** Modules to load first, and files of `optional` to enable. */
  modules?: readonly string[];
  optional?: readonly string[];
}

export interface Site {
  readonly httpPort: number;
  readonly httpsPort: number;
  readonly nginx: Program;
  /** Changes a file of the configuration that runs. */
  edit(file: string, change: (text: string) => string): void;
  /** `nginx -t` over what is there now. */
  check(): Promise<void>;
  accessLog(): string;
  errorLog(): string;
}

/** Starts nginx with the files as they are, but for ports and folders of its own. */
export async function startSite(options: SiteOptions): Promise<Site> {
  const program = await requireProgram('nginx');
  const { path: folder } = temporaryFolder('site');
  const [httpPort, httpsPort] = [await freePort(), await freePort()];
  writeFiles(folder, options, httpPort, httpsPort);
  const commandLine = ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', join(folder, 'error.log')];
  const check = async (): Promise<void> => void (await promisify(execFile)(program, ['-t', ...commandLine]));
  await check();
  const nginx = await startProgram(program, [...commandLine, '-g', 'daemon off;'], { name: 'nginx' });
  await waitUntil(async () => (await ask({ httpsPort }, '/livez').catch(() => undefined)) !== undefined);
  return {
    httpPort,
    httpsPort,
    nginx,
    check,
    edit(file, change) {
      writeFileSync(join(folder, file), change(readFileSync(join(folder, file), 'utf8')));
    },
    accessLog: () => readFileSync(join(folder, 'access.log'), 'utf8'),
    errorLog: () => readFileSync(join(folder, 'error.log'), 'utf8'),
  };
}

function writeFiles(folder: string, options: SiteOptions, httpPort: number, httpsPort: number): void {
  const { apps, searxng, modules = [], optional = [] } = options;
  cpSync(NGINX, folder, { recursive: true });
  for (const name of ['temp', 'tls', 'modules-enabled', 'optional-enabled']) mkdirSync(join(folder, name));
  mkdirSync(join(folder, CHALLENGE, '..'), { recursive: true });
  writeFileSync(join(folder, CHALLENGE), 'token.thumbprint');
  const { key, cert } = selfSigned();
  writeFileSync(join(folder, 'tls/privkey.pem'), key);
  writeFileSync(join(folder, 'tls/fullchain.pem'), cert);
  writeFileSync(join(folder, 'mime.types'), 'types { text/html html; }\n');
  const loads = modules.map((module) => `load_module ${module};\n`).join('');
  writeFileSync(join(folder, 'modules-enabled/test.conf'), loads);
  for (const name of optional) cpSync(join(NGINX, 'optional', name), join(folder, 'optional-enabled', name));

  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `  ${name}_temp_path ${folder}/temp/${name};\n`,
  );
  // The folder is its owner's alone, and nginx has two workers' worth of processors at most.
  const user = process.getuid?.() === 0 ? 'user root;\n' : '';
  edited(join(folder, 'nginx.conf'), [
    [/^worker_processes auto;$/m, `${user}worker_processes 1;`],
    ['/run/nginx.pid', `${folder}/nginx.pid`],
    ['/var/log/nginx/error.log', `${folder}/error.log`],
    ['/var/log/nginx/access.log', `${folder}/access.log`],
    [/^http \{\n/m, `http {\n${temp.join('')}`],
  ]);
  edited(join(folder, 'signalbox/site.conf'), [
    ['/var/cache/nginx', `${folder}/temp`],
    ['/etc/nginx/tls', `${folder}/tls`],
    ['/var/www/acme', `${folder}/acme`],
    [/^ *listen \[::\].*\n/gm, ''],
    [/listen 80\b/g, `listen 127.0.0.1:${httpPort}`],
    [/listen 443\b/g, `listen 127.0.0.1:${httpsPort}`],
  ]);
  const [, rest = ''] = /server 127\.0\.0\.1:8889( .*;)/.exec(read(folder, 'signalbox/upstreams.conf')) ?? [];
  edited(join(folder, 'signalbox/upstreams.conf'), [
    [/server 127\.0\.0\.1:8889.*;/, apps.map((app) => `server ${app}${rest}`).join('\n  ')],
    ['127.0.0.1:8080', searxng],
  ]);
}

function read(folder: string, file: string): string {
  return readFileSync(join(folder, file), 'utf8');
}

/** Replaces what has to be there. */
function edited(file: string, changes: readonly (readonly [string | RegExp, string])[]): void {
  let text = readFileSync(file, 'utf8');
  for (const [what, by] of changes) {
    const changed = typeof what === 'string' ? text.replaceAll(what, by) : text.replace(what, () => by);
    if (changed === text) throw new Error(`${file} has no ${String(what)}`);
    text = changed;
  }
  writeFileSync(file, text);
}

export interface SiteAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  text: string;
}

/** Asks the site as a browser would that knows its name, from an address of loopback. */
export function ask(
  { httpsPort }: { httpsPort: number },
  path: string,
  { from = '127.0.0.1', body, ...options }: RequestOptions & { from?: string; body?: string } = {},
): Promise<SiteAnswer> {
  return new Promise((resolve, reject) => {
    const req = request(
      {
        host: '127.0.0.1',
        port: httpsPort,
        path,
        localAddress: from,
        servername: NAME,
        rejectUnauthorized: false,
        agent: false,
        ...options,
        headers: { host: NAME, ...(options.headers as Record<string, string> | undefined) },
      },
      (res) => {
        const pieces: Buffer[] = [];
        res.on('error', reject).on('data', (piece: Buffer) => pieces.push(piece));
        res.on('end', () => {
          const whole = Buffer.concat(pieces);
          resolve({ status: res.statusCode ?? 0, headers: res.headers, body: whole, text: whole.toString() });
        });
      },
    );
    req.on('error', reject).end(body);
  });
}
