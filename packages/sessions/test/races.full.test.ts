import { Agent } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { listen } from '@signalbox/testing';
import fc from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import { startRedis } from '../../../test/support/redis.js';
import { connectedClient } from '../../../test/support/redis-client.js';
import { redisStore } from '../src/index.js';
import { interleaving, ourApp, play } from './interleavings.js';

it('also with a Redis that stands still again and again, no acknowledged write is lost and nothing comes back', async () => {
  const redis = await startRedis();
  const agent = new Agent({ keepAlive: true });
  onTestFinished(async () => {
    agent.destroy();
    await redis.stop();
  });
  const url = await listen(ourApp({ store: redisStore(await connectedClient(redis.url)) }));
  const over = new AbortController();
  const stalls = (async () => {
    while (!over.signal.aborted) {
      await pause(150 + Math.random() * 100);
      redis.pause();
      // Longer than the deadline of a command.
      await pause(130);
      redis.resume();
    }
  })();
  try {
    await fc.assert(
      fc.asyncProperty(interleaving, async (steps) => {
        expect(await play(url, steps, agent)).toEqual({ lost: 0, alive: 0 });
      }),
      { numRuns: 1_000, endOnFailure: true },
    );
  } finally {
    over.abort();
    await stalls;
  }
}, 120_000);
