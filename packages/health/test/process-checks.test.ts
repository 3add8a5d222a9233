import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:tls';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { certificateCheck, diskCheck, eventLoopDelayCheck, memoryCheck } from '../src/index.js';
import { freePort, opened, quick, until, verdictOf } from './support.js';

describe('diskCheck', () => {
  it('is healthy while there is enough space, and shows how much', async () => {
    const path = fileURLToPath(new URL('.', import.meta.url));
    expect(await verdictOf(diskCheck({ path, minFreeBytes: 1 }))).toMatchObject({
      status: 'healthy',
      details: {
        free_bytes: expect.any(Number) as number,
        total_bytes: expect.any(Number) as number,
        free_percent: expect.any(Number) as number,
      },
    });
    expect((await verdictOf(diskCheck({ path, minFreePercent: 0.001 }))).status).toBe('healthy');
  });

  it('is unhealthy below the bytes or the percentage', async () => {
    const tooMuch = await verdictOf(diskCheck({ path: '/', minFreeBytes: Number.MAX_SAFE_INTEGER }));
    expect(tooMuch.status).toBe('unhealthy');
    expect(tooMuch.error).toMatch(/^[\d.]+ % free$/);
    expect((await verdictOf(diskCheck({ path: '/', minFreePercent: 100 }))).status).toBe('unhealthy');
  });

  it('is unhealthy where the path is missing', async () => {
    expect((await verdictOf(diskCheck({ path: '/no/such/path' }))).error).toMatch(/^ENOENT/);
  });
});

describe('memoryCheck', () => {
  it('is healthy below the limits, and shows the figures', async () => {
    expect(await verdictOf(memoryCheck({ maxHeapPercent: 100, maxRssPercent: 100 }))).toMatchObject({
      status: 'healthy',
      details: {
        rss_bytes: expect.any(Number) as number,
        granted_bytes: expect.any(Number) as number,
        heap_used_bytes: expect.any(Number) as number,
        heap_percent: expect.any(Number) as number,
      },
    });
  });

  it('is unhealthy above any of them', async () => {
    expect((await verdictOf(memoryCheck({ maxRssBytes: 1_000 }))).error).toMatch(/^\d+ bytes resident$/);
    expect((await verdictOf(memoryCheck({ maxRssPercent: 0.001 }))).status).toBe('unhealthy');
    const heap = await verdictOf(memoryCheck({ maxHeapPercent: 0.001 }));
    expect(heap.error).toMatch(/^heap at [\d.]+ % of its limit$/);
  });
});

describe('eventLoopDelayCheck', () => {
  it('sees a loop that was blocked since the last run, and that it no longer is', async () => {
    const run = eventLoopDelayCheck({ maxDelayMs: 60, percentile: 100 });
    const handle = opened({ checks: [quick('loop', run, { everyMs: 30 })] });
    const delay = (): number | undefined => {
      const details = handle.report().services['loop']?.details as { delay_ms: number } | null;
      return details?.delay_ms;
    };
    await until(() => delay() !== undefined);

    const endsAt = performance.now() + 150;
    while (performance.now() < endsAt);
    await until(() => handle.report().services['loop']?.status === 'unhealthy');
    expect(handle.report().services['loop']?.last_error?.message).toMatch(
      /^the event loop was [\d.]+ ms late$/,
    );
    await until(() => handle.report().services['loop']?.status === 'healthy');
  });
});

const fixture = (name: string): string => fileURLToPath(new URL(`fixtures/${name}.pem`, import.meta.url));

describe('certificateCheck of a file', () => {
  it('is healthy long before the end, and shows it', async () => {
    expect(await verdictOf(certificateCheck({ file: fixture('valid') }))).toMatchObject({
      status: 'healthy',
      details: { expires_at: '2120-01-01T00:00:00.000Z', days_left: expect.any(Number) as number },
    });
  });

  it('is degraded from warnDays on, unhealthy before the beginning and after the end', async () => {
    const near = await verdictOf(certificateCheck({ file: fixture('valid'), warnDays: 100_000 }));
    expect(near.status).toBe('degraded');
    expect(near.error).toMatch(/^ends in \d+ days$/);

    const ended = await verdictOf(certificateCheck({ file: fixture('expired') }));
    expect(ended).toMatchObject({ status: 'unhealthy', error: 'ended on 2021-01-01T00:00:00.000Z' });
    const early = await verdictOf(certificateCheck({ file: fixture('future') }));
    expect(early).toMatchObject({ status: 'unhealthy', error: 'begins on 2120-01-01T00:00:00.000Z' });
  });

  it('is unhealthy without a file or without a certificate in it', async () => {
    expect((await verdictOf(certificateCheck({ file: '/no/such/file' }))).error).toMatch(/^ENOENT/);
    const keyOnly = await verdictOf(certificateCheck({ file: fixture('key') }));
    expect(keyOnly.error).toBe('there is no certificate in the file');
  });
});

describe('certificateCheck of a server', () => {
  async function serve(name: string): Promise<{ host: string; port: number; names: unknown[] }> {
    const names: unknown[] = [];
    const server = createServer({
      key: readFileSync(fixture('key')),
      cert: readFileSync(fixture(name)),
      SNICallback(servername, callback) {
        names.push(servername);
        callback(null);
      },
    });
    server.on('tlsClientError', () => undefined);
    return { host: '127.0.0.1', port: await listening(server), names };
  }

  it('looks at what the server shows, trusted or not', async () => {
    const valid = await serve('valid');
    expect((await verdictOf(certificateCheck(addressOf(valid)))).status).toBe('healthy');
    expect(valid.names).toEqual([]);
    const expired = await serve('expired');
    expect((await verdictOf(certificateCheck(addressOf(expired)))).error).toBe(
      'ended on 2021-01-01T00:00:00.000Z',
    );
  });

  it('asks for the name', async () => {
    const server = await serve('valid');
    const { port } = server;
    await verdictOf(certificateCheck({ host: 'localhost', port }));
    await verdictOf(certificateCheck({ host: '127.0.0.1', port, servername: 'search.example' }));
    expect(new Set(server.names)).toEqual(new Set(['localhost', 'search.example']));
  });

  it('is unhealthy when nobody listens, and by timeout when nobody shakes hands', async () => {
    const refused = await verdictOf(certificateCheck({ host: '127.0.0.1', port: await freePort() }));
    expect(refused.error).toMatch(/^connect ECONNREFUSED/);

    const silent = createTcpServer((socket) => socket.on('error', () => undefined));
    const run = certificateCheck({ host: '127.0.0.1', port: await listening(silent) });
    const handle = opened({ checks: [quick('it', run, { timeoutMs: 30 })] });
    await until(() => handle.report().services['it']?.status === 'unhealthy');
    expect(handle.report().services['it']?.last_error?.message).toBe('timed out after 30 ms');
  });
});

function addressOf({ host, port }: { host: string; port: number }): { host: string; port: number } {
  return { host, port };
}

async function listening(server: Server | ReturnType<typeof createTcpServer>): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.unref();
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}
