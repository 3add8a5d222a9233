import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { temporaryFolder, type TemporaryFolder } from './keeper.js';
import { onFreePort } from './ports.js';
import { answersHttp, startProgram } from './program.js';
import { requireProgram } from './system-packages.js';

/** Where a configuration finds itself. */
export interface NginxPlace {
  port: number;
  /** A folder of its own, for files that the configuration names. */
  folder: string;
}

export interface NginxServer {
  readonly port: number;
  readonly url: string;
  readonly folder: string;
  /** Its error log. */
  output(): string;
  stop(): Promise<void>;
}

/**
 * Starts nginx on a free port of loopback.
 *
 * @param configuration makes what stands inside `http { }`; it has to listen on `127.0.0.1:${port}`
 * @param wrapper a command that starts it, and stays the same process
 *
 * @example
 * const nginx = await startNginx(({ port }) => `
 *   server { listen 127.0.0.1:${port}; location / { proxy_pass ${url}; } }
 * `);
 */
export async function startNginx(
  configuration: (place: NginxPlace) => string,
  wrapper: readonly string[] = [],
): Promise<NginxServer> {
  const [program, ...words] = [...wrapper, await requireProgram('nginx')];
  return onFreePort(async (port) => {
    const folder = temporaryFolder('nginx');
    try {
      const file = writeConfiguration(folder, configuration({ port, folder: folder.path }));
      const url = `http://127.0.0.1:${port}`;
      const nginx = await startProgram(program, [...words, ...commandLine(folder, file)], {
        name: 'nginx',
        ready: () => answersHttp(url),
      });
      return {
        port,
        url,
        folder: folder.path,
        output: () => nginx.output(),
        async stop() {
          await nginx.stop();
          folder.remove();
        },
      };
    } catch (error) {
      folder.remove();
      throw error;
    }
  });
}

/** Runs `nginx -t` over what stands inside `http { }`; rejects with nginx's own words where something is wrong. */
export async function checkNginx(http: string): Promise<void> {
  const program = await requireProgram('nginx');
  const folder = temporaryFolder('nginx');
  try {
    const file = writeConfiguration(folder, http);
    await promisify(execFile)(program, ['-t', '-q', ...commandLine(folder, file)]);
  } finally {
    folder.remove();
  }
}

function commandLine(folder: TemporaryFolder, file: string): string[] {
  return ['-p', folder.path, '-e', 'stderr', '-c', file];
}

function writeConfiguration(folder: TemporaryFolder, http: string): string {
  mkdirSync(join(folder.path, 'temp'));
  const file = join(folder.path, 'nginx.conf');
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  writeFileSync(
    file,
    `
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr;
${process.getuid?.() === 0 ? "# The folder is root's alone.\nuser root;" : ''}
events { worker_connections 512; }
http {
  access_log off;
  ${paths.map((path) => `${path}_temp_path temp/${path};`).join('\n  ')}
${http}
}
`,
  );
  return file;
}

interface BalancerOptions {
  /** @default true */
  isSticky?: boolean;
  /** How long a node that failed is passed over. */
  failSeconds?: number;
}

/**
 * What a site has before several nodes, WebSockets included: an address comes to the same node as long as that one
 * answers (`ip_hash`), and a request that a node did not answer goes to the next.
 *
 * @param nodes their URLs
 *
 * @example
 * const nginx = await startNginx(({ port }) => balancer(urls, port));
 */
export function balancer(nodes: readonly string[], port: number, options: BalancerOptions = {}): string {
  const { isSticky = true, failSeconds = 2 } = options;
  const server = (url: string): string =>
    `server ${new URL(url).host} max_fails=1 fail_timeout=${failSeconds}s;`;
  return `
    map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
    upstream nodes {
      ${isSticky ? 'ip_hash;' : ''}
      ${nodes.map(server).join('\n')}
      keepalive 32;
    }
    server {
      listen 127.0.0.1:${port};
      location / {
        proxy_pass http://nodes;
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
        proxy_read_timeout 90s;
        proxy_next_upstream error timeout;
      }
    }`;
}
