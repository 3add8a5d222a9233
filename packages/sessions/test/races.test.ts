import { Agent } from 'node:http';
import { listen } from '@signalbox/testing';
import type { Express } from 'express';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startRedis, type RedisServer } from '../../../test/support/redis.js';
import { connectedClient } from '../../../test/support/redis-client.js';
import { memoryStore, redisStore } from '../src/index.js';
import { interleaving, ourApp, play, stockApp, type Violations } from './interleavings.js';
import { appWith, send, withErrors } from './support.js';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

async function served(app: Express): Promise<{ url: string; agent: Agent }> {
  const agent = new Agent({ keepAlive: true });
  onTestFinished(() => agent.destroy());
  return { url: await listen(app), agent };
}

describe('in 1 000 random interleavings of parallel requests, sign-outs and slow writers', () => {
  it.each(['memory', 'redis'])(
    'no acknowledged write is lost and nothing that ended comes back, in %s',
    { timeout: 60_000 },
    async (kind) => {
      const store = kind === 'memory' ? memoryStore() : redisStore(await connectedClient(redis.url));
      const { url, agent } = await served(ourApp({ store }));
      await fc.assert(
        fc.asyncProperty(interleaving, async (steps) => {
          expect(await play(url, steps, agent)).toEqual({ lost: 0, alive: 0 });
        }),
        { numRuns: 1_000 },
      );
    },
  );

  it('express-session and connect-redis as they come do both, which is why this package is there', async () => {
    const { url, agent } = await served(stockApp(await connectedClient(redis.url)));
    const seen: Violations = { lost: 0, alive: 0 };
    for (const steps of fc.sample(interleaving, { numRuns: 1_000, seed: 7 })) {
      const { lost, alive } = await play(url, steps, agent);
      seen.lost += lost;
      seen.alive += alive;
      if (seen.lost > 10 && seen.alive > 3) break;
    }
    expect(seen.lost).toBeGreaterThan(10);
    expect(seen.alive).toBeGreaterThan(3);
  });
});

describe.each(['memory', 'redis'])('with parallel requests, in %s', (kind) => {
  const open = async () => (kind === 'memory' ? memoryStore() : redisStore(await connectedClient(redis.url)));

  it('fifty increments by change() are fifty', async () => {
    const { app, session } = appWith({ store: await open() });
    app.post('/increment', async (req, res) => {
      const count = await session.change<number>(req, 'count', (before = 0) => before + 1);
      res.json({ count });
    });
    const { url, agent } = await served(withErrors(app));
    const { cookie } = await send('POST', `${url}/in/counter`);
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => send('POST', `${url}/increment`, { cookie, agent })),
    );
    expect(new Set(answers.map(({ body }) => body['count'])).size).toBe(50);
    expect((await send('GET', `${url}/read`, { cookie })).body['count']).toBe(50);
  });

  it('the second change of one key is refused with 409 where that is asked for', async () => {
    const { app } = appWith({ store: await open(), onConflict: 'refuse' });
    const arrivals: (() => void)[] = [];
    app.post('/together', async (req, res) => {
      const { session } = req;
      await new Promise<void>((resolve) => {
        arrivals.push(resolve);
        if (arrivals.length === 2) for (const go of arrivals) go();
      });
      session.count = (session.count ?? 0) + 1;
      res.json({});
    });
    const { url } = await served(withErrors(app));
    const { cookie } = await send('POST', `${url}/in/counter`);
    const answers = await Promise.all([
      send('POST', `${url}/together`, { cookie }),
      send('POST', `${url}/together`, { cookie }),
    ]);
    expect(answers.map(({ status }) => `${status}`).toSorted()).toEqual(['200', '409']);
    expect(answers.find(({ status }) => status === 409)?.body.error?.type).toBe('session_conflict');
    expect((await send('GET', `${url}/read`, { cookie })).body['count']).toBe(1);
  });

  it('a request whose session ends under it is told so, and saves nothing', async () => {
    const { app, session } = appWith({ store: await open() });
    app.post('/ends-meanwhile', async (req, res) => {
      const { session: current } = req;
      await session.signOutEverywhere('alice');
      current.count = 1;
      res.json({});
    });
    const { url } = await served(withErrors(app));
    const { cookie } = await send('POST', `${url}/in/alice`);
    const answer = await send('POST', `${url}/ends-meanwhile`, { cookie });
    expect(answer.status).toBe(401);
    expect(answer.body.error?.type).toBe('session_ended');
    expect(answer.cookie).toBe(undefined);
    expect((await send('GET', `${url}/required`, { cookie })).status).toBe(401);
  });
});
