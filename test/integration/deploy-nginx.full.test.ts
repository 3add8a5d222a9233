import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { promisify } from 'node:util';
import { brotliDecompressSync } from 'node:zlib';
import { listen } from '@signalbox/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/keeper.js';
import { startOrchestrator, type RunningOrchestrator } from '../support/orchestrator.js';
import { startSearx, type SearxServer } from '../support/searx.js';
import { ask, NAME, startSite } from './deploy-site.js';

const run = promisify(execFile);

/** Debian's modules for Brotli, taken out of their package rather than installed: they would load in every nginx. */
async function brotliModules(): Promise<string[]> {
  const name = 'libnginx-mod-http-brotli-filter';
  const { path: folder } = temporaryFolder('brotli');
  await run('apt-get', ['download', name], { cwd: folder });
  await run('sh', ['-c', `dpkg -x ${name}_*.deb .`], { cwd: folder });
  const module = `${folder}/usr/lib/nginx/modules/ngx_http_brotli_filter_module.so`;
  if (!existsSync(module)) throw new Error(`${name} has no ${module}`);
  return [module];
}

it('compresses with Brotli where nginx has it', async () => {
  const upstream = createServer((_req, res) => {
    res.setHeader('Content-Type', 'application/json').end(JSON.stringify('signalbox '.repeat(500)));
  });
  const app = new URL(await listen(upstream)).host;
  const modules = await brotliModules();
  const site = await startSite({ apps: [app], searxng: app, modules, optional: ['brotli.conf'] });
  const { headers, body } = await ask(site, '/', { headers: { 'accept-encoding': 'gzip, br' } });
  await site.nginx.stop();
  expect(headers['content-encoding']).toBe('br');
  expect(brotliDecompressSync(body).toString()).toContain('signalbox');
});

describe('in front of the orchestrator and SearXNG', () => {
  let orchestrator: RunningOrchestrator;
  let searx: SearxServer;
  let site: Awaited<ReturnType<typeof startSite>>;

  beforeAll(async () => {
    searx = await startSearx();
    orchestrator = await startOrchestrator({
      PUBLIC_URL: `https://${NAME}`,
      TRUST_PROXY: 'loopback',
      SEARXNG_URLS: searx.url,
    });
    const [app, fallback] = [new URL(orchestrator.url).host, new URL(searx.url).host];
    site = await startSite({ apps: [app], searxng: fallback });
  });
  afterAll(async () => {
    await Promise.all([site.nginx.stop(), orchestrator.program.stop(), searx.stop()]);
  });

  it('serves the page with its headers, each once', async () => {
    const { status, headers, text } = await ask(site, '/');
    expect([status, text]).toEqual([200, expect.stringContaining('<html')]);
    for (const name of ['content-security-policy', 'strict-transport-security', 'x-content-type-options']) {
      expect(headers[name]).toMatch(/^[^,]*$/);
    }
  });

  it('keeps files that are for everybody, and says so', async () => {
    await ask(site, '/robots.txt');
    expect((await ask(site, '/robots.txt')).headers['cache-status']).toBe('nginx; hit');
  });

  it('lets a guest sign in and search, with the request id that nginx gave', async () => {
    const guest = await ask(site, '/auth/guest', { method: 'POST' });
    expect(guest.status).toBe(200);
    const { accessToken } = JSON.parse(guest.text) as { accessToken: string };
    const found = await ask(site, '/api/v2/search?q=signalbox', {
      headers: { authorization: `Bearer ${accessToken}` },
    });
    expect([found.status, JSON.parse(found.text)]).toMatchObject([200, { source: 'searxng' }]);
    const refused = await ask(site, '/api/v2/me');
    expect(JSON.parse(refused.text)).toMatchObject({ error: { requestId: refused.headers['x-request-id'] } });
  });

  it('keeps admin pages and metrics from visitors', async () => {
    expect((await ask(site, '/metrics')).status).toBe(404);
    // The address of this machine may see them; one that a proxy names is judged by itself.
    expect((await ask(site, '/health/detailed', { from: '127.0.0.1' })).status).toBe(200);
  });

  it("answers with SearXNG's own page when the orchestrator is gone", async () => {
    await orchestrator.program.kill();
    const { status, text } = await ask(site, '/search?q=signalbox');
    expect([status, text]).toEqual([200, expect.stringContaining('about express and gateways')]);
  });
});
