import type { TestContext } from 'vitest';
import { startFaultProxy, type FaultProxy } from '../../../test/support/fault-proxy.js';
import { eventually } from '../../../test/support/eventually.js';
import { startRedis, type RedisOptions, type RedisServer } from '../../../test/support/redis.js';
import { RedisUnavailableError, type RedisLink } from '../src/index.js';

/** Starts what a test needs, and sees to it that it is gone afterwards; also for tests that run side by side. */
export interface Stage {
  redis(options?: RedisOptions): Promise<RedisServer>;
  proxy(to: { port: number }): Promise<FaultProxy>;
  /** Closes the link when the test is over. */
  closing(link: RedisLink): RedisLink;
  /** Ends a client when the test is over. */
  ending<Client extends { disconnect(): void }>(client: Client): Client;
  /** Sends a command every few milliseconds, as requests would, whatever becomes of those before. */
  load(link: RedisLink, send?: () => Promise<unknown>): Load;
}

export function stageOf({ onTestFinished }: Pick<TestContext, 'onTestFinished'>): Stage {
  return {
    async redis(options) {
      const redis = await startRedis(options);
      onTestFinished(() => redis.stop());
      return redis;
    },
    async proxy(to) {
      const proxy = await startFaultProxy({ to: to.port });
      onTestFinished(() => proxy.stop());
      return proxy;
    },
    closing(link) {
      onTestFinished(() => link.close());
      return link;
    },
    ending(client) {
      onTestFinished(() => client.disconnect());
      return client;
    },
    load(link, send = () => link.command('incr', 'load')) {
      const load = startLoad(send);
      onTestFinished(() => load.stop());
      return load;
    },
  };
}

/** What became of commands that were sent all the time. */
export interface Load {
  ok: number;
  /** How often each reason, or error that is none of ours, was met. */
  readonly failures: Map<string, number>;
  slowestMs: number;
  /** Of those that were refused without being sent. */
  slowestRefusalMs: number;
  /** The longest that the event loop let a timer wait. */
  slowestTickMs: number;
  /** Waits for those under way. */
  stop(): Promise<void>;
}

function startLoad(send: () => Promise<unknown>): Load {
  const pending = new Set<Promise<void>>();
  const load: Load = {
    ok: 0,
    failures: new Map(),
    slowestMs: 0,
    slowestRefusalMs: 0,
    slowestTickMs: 0,
    async stop() {
      clearInterval(timer);
      await Promise.all(pending);
    },
  };

  const one = async (): Promise<void> => {
    const startedAt = performance.now();
    let reason = '';
    try {
      await send();
      load.ok += 1;
    } catch (error) {
      reason = error instanceof RedisUnavailableError ? error.reason : String(error);
      load.failures.set(reason, (load.failures.get(reason) ?? 0) + 1);
    }
    const tookMs = performance.now() - startedAt;
    load.slowestMs = Math.max(load.slowestMs, tookMs);
    if (reason === 'breaker') load.slowestRefusalMs = Math.max(load.slowestRefusalMs, tookMs);
  };
  let tickedAt = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    load.slowestTickMs = Math.max(load.slowestTickMs, now - tickedAt - 4);
    tickedAt = now;
    const running = one().finally(() => pending.delete(running));
    pending.add(running);
  }, 4);
  return load;
}

export function isIn(link: RedisLink, state: RedisLink['state'], timeoutMs?: number): Promise<void> {
  return eventually(() => link.state === state, timeoutMs);
}

/** Waits until commands are answered again, and says how long that took. */
export async function recovery(link: RedisLink, key = 'recovery', timeoutMs = 10_000): Promise<number> {
  const startedAt = performance.now();
  const isAnswered = (): Promise<boolean> =>
    link.command('set', key, '1', 'PX', '60000').then(
      () => true,
      () => false,
    );
  await eventually(isAnswered, timeoutMs);
  return performance.now() - startedAt;
}

/** What a promise rejects with. */
export async function errorOf<Failure = RedisUnavailableError>(promise: Promise<unknown>): Promise<Failure> {
  try {
    await promise;
  } catch (error) {
    return error as Failure;
  }
  throw new Error('it did not reject');
}
