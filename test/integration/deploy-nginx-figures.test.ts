import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { MACHINE } from '../../examples/orchestrator/deploy/machine.js';
import { resolveOptions } from '../../packages/realtime/src/settings.js';
import { resolveServeOptions } from '../../packages/server/src/options.js';
import { NGINX } from './deploy-site.js';

describe('figures of nginx', () => {
  const texts = ['nginx.conf', ...readdirSync(`${NGINX}signalbox`).map((file) => `signalbox/${file}`)].map(
    (file) => readFileSync(`${NGINX}${file}`, 'utf8'),
  );
  const all = texts.join('\n');
  const secondsOf = (directive: string): number[] =>
    [...all.matchAll(new RegExp(`^ *${directive} (\\d+)s;`, 'gm'))].map(([, number]) => Number(number));

  const server = resolveServeOptions(() => undefined, { behindProxy: true });

  it('use every zone as the app has it', () => {
    const lines = [...all.matchAll(/^# {3}(limit_req .*;)$/gm)].map(([, line]) => line);
    const uses = [...all.matchAll(/^ +(limit_req zone.*;)$/gm)].map(([, line]) => line);
    expect(lines).toHaveLength(3);
    expect(new Set(uses)).toEqual(new Set(lines));
    expect(all).toContain('zone=signin:10m rate=30r/m;');
  });

  it('are those of the app: its port, and what it takes of a request', () => {
    expect(all).toContain(`server 127.0.0.1:${MACHINE.port} max_fails=3 fail_timeout=30s;`);
    expect(secondsOf('client_header_timeout')).toEqual([server.headersTimeoutMs / 1_000]);
    expect(secondsOf('client_body_timeout')).toEqual([server.requestTimeoutMs / 1_000]);
    expect(all).toContain(`large_client_header_buffers 4 ${server.maxHeaderBytes / 1_024}k;`);
    const [, maxKilobytes] = /^ *client_max_body_size (\d+)k;/m.exec(all) ?? [];
    expect(Number(maxKilobytes)).toBeGreaterThanOrEqual(Math.max(...bodyLimits()));
  });

  it('wait longer than the app does, and keep connections for less', () => {
    const [answers = 0, sockets = 0] = secondsOf('proxy_read_timeout');
    expect(answers).toBeGreaterThan(MACHINE.answerSeconds);
    const { pingIntervalMs, pingTimeoutMs } = resolveOptions(createServer(), {
      authenticate: () => undefined,
    });
    expect(sockets).toBeGreaterThan((pingIntervalMs + pingTimeoutMs) / 1_000);
    const upstreams = readFileSync(`${NGINX}signalbox/upstreams.conf`, 'utf8');
    const [, kept] = /^ *keepalive_timeout (\d+)s;/m.exec(upstreams) ?? [];
    expect(Number(kept)).toBeLessThan(server.keepAliveTimeoutMs / 1_000);
  });
});

/** In kilobytes, of every parser of bodies in the app. */
function bodyLimits(): number[] {
  const folder = fileURLToPath(new URL('../../examples/orchestrator/src/', import.meta.url));
  const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  return sources.flatMap((file) =>
    [...readFileSync(`${folder}${file}`, 'utf8').matchAll(/limit: '(\d+)kb'/g)].map(([, kb]) => Number(kb)),
  );
}
