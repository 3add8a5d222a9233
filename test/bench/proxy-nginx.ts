import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startNginx, type NginxServer } from '../support/nginx.js';

/** An nginx, and its one worker, whose processor time counts. */
export interface RunningNginx {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

const KEPT = 'keepalive_requests 1000000000; keepalive_timeout 75s; client_body_buffer_size 256k;';
const SMALL = JSON.stringify({
  items: Array.from({ length: 12 }, (_, i) => ({
    id: 1_000 + i,
    sku: `SKU-${i}`,
    title: `Result ${i} of a page that is short`,
  })),
});

/** What is behind the proxies: 1 KB of JSON, 100 KB of bytes, and somewhere to send bytes to. */
export async function startOrigin(cpu: number): Promise<RunningNginx> {
  const server = await startNginx(({ port, folder }) => {
    writeFileSync(join(folder, 'large'), Buffer.alloc(100 * 1024, 'x'));
    const answer = `default_type application/json; add_header Cache-Control no-store; add_header ETag '"a1b2c3"';
      add_header Vary Accept-Encoding; return 200 '${SMALL}';`;
    return `${KEPT}
      server { listen unix:${folder}/done; ${KEPT} location / { ${answer} } }
      server {
        listen 127.0.0.1:${port};
        root ${folder};
        location = /small { ${answer} }
        location = /large { default_type application/octet-stream; add_header Cache-Control no-store; }
        # Reads the body, and answers when it is there.
        location = /upload { proxy_pass_request_body off; proxy_set_header Content-Length ''; proxy_pass http://unix:${folder}/done; }
        location / { return 204; }
      }`;
  });
  return onProcessor(server, cpu);
}

/** `proxy_pass` with connections kept on both sides and the fields that the others send. */
export async function startNginxProxy(upstream: string, cpu: number): Promise<RunningNginx> {
  const { host } = new URL(upstream);
  const server = await startNginx(
    ({ port }) => `${KEPT}
      upstream origin { server ${host}; keepalive 128; keepalive_requests 1000000000; }
      server {
        listen 127.0.0.1:${port};
        location / {
          proxy_pass http://origin;
          proxy_http_version 1.1;
          proxy_set_header Connection '';
          proxy_set_header X-Forwarded-For $remote_addr;
          proxy_set_header X-Forwarded-Proto $scheme;
          proxy_set_header X-Forwarded-Host $http_host;
        }
      }`,
  );
  return onProcessor(server, cpu);
}

async function onProcessor(server: NginxServer, cpu: number): Promise<RunningNginx> {
  const master = readFileSync(join(server.folder, 'nginx.pid'), 'utf8').trim();
  const pid = Number(readFileSync(`/proc/${master}/task/${master}/children`, 'utf8').trim());
  await promisify(execFile)('taskset', ['-p', '-c', String(cpu), String(pid)]);
  return { url: server.url, pid, stop: () => server.stop() };
}
