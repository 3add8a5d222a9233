import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { cache, redisStore, type Cache } from '@signalbox/cache';
import { inParallel } from '@signalbox/compose';
import { errorHandler } from '@signalbox/errors';
import { redisStore as limitStore, zones } from '@signalbox/rate-limit';
import { connectRedis } from '@signalbox/redis';
import { listen } from '@signalbox/testing';
import express from 'express';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../support/eventually.js';
import { send } from '../support/send.js';
import { sharedRedis } from '../support/shared-redis.js';

const redis = sharedRedis();

/** Passes everything on to Redis, and keeps what each write held: the names of the commands in it. */
async function tap(): Promise<{ port: number; writes: string[][] }> {
  const writes: string[][] = [];
  const server = createServer((client) => {
    const upstream = connect(redis.server.port, '127.0.0.1');
    client.on('data', (chunk) => {
      const names = [...chunk.toString('latin1').matchAll(/\*\d+\r\n\$\d+\r\n(\w+)\r\n/g)];
      writes.push(names.map(([, name = '']) => name.toLowerCase()));
      upstream.write(chunk);
    });
    upstream.pipe(client);
    for (const socket of [client, upstream]) socket.on('error', () => undefined);
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
    onTestFinished(() => void client.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return { port: (server.address() as AddressInfo).port, writes };
}

async function limitedSearch(
  port: number,
  zone: string,
  rate: string,
): Promise<{ url: string; route: Cache }> {
  const link = connectRedis(`redis://127.0.0.1:${port}`, { deadlineMs: 5_000 });
  await eventually(() => link.state === 'up');
  const limits = zones({ store: limitStore(link), zones: { [zone]: rate } });
  const route = cache({ store: redisStore(link, { local: false }), ttlMs: 60_000 });
  onTestFinished(async () => {
    route.close();
    await link.close();
  });
  const app = express();
  app.get('/search', inParallel(limits.zone(zone), route.lookup), route.answer, (_req, res) => {
    res.json({ results: [] });
  });
  return { url: `${await listen(app.use(errorHandler()))}/search`, route };
}

/** What the link and the store say by themselves, now and then. */
const BESIDE: ReadonlySet<string> = new Set(['ping', 'publish', 'subscribe']);

describe('inParallel(limit, cache.lookup)', () => {
  it('asks Redis with one write, and waits for it once', async () => {
    const { port, writes } = await tap();
    const { url } = await limitedSearch(port, 'wide', '100000/15m');
    await eventually(
      async () => (await send(`${url}?q=tea`)).headers['cache-status']?.includes('hit') === true,
    );

    const seen: string[][] = [];
    for (let times = 0; times < 10; times += 1) {
      writes.length = 0;
      const { headers } = await send(`${url}?q=tea`);
      expect(headers['cache-status']).toContain('hit');
      expect(headers['ratelimit']).toMatch(/^"wide";r=\d+/);
      const asked = writes.map((names) => names.filter((name) => !BESIDE.has(name)));
      seen.push(...asked.filter((names) => names.length > 0));
    }
    expect(seen).toEqual(Array.from({ length: 10 }, () => ['evalsha', 'mget']));
  });

  it('gives nobody an answer whom the limit refuses', async () => {
    const { port } = await tap();
    const { url, route } = await limitedSearch(port, 'narrow', '3/15m');
    const statuses: number[] = [];
    for (let times = 0; times < 5; times += 1) statuses.push((await send(`${url}?q=refused`)).status);
    expect(statuses).toEqual([200, 200, 200, 429, 429]);
    const { hit, miss } = route.report();
    expect(hit + miss).toBe(3);
  });
});
