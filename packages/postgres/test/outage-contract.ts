import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runInContext } from '@signalbox/context';
import { startPostgres, type PostgresServer } from '../../../test/support/postgres.js';
import { PostgresUnavailableError, type Database } from '../src/index.js';
import { answers, errorOf, stageOf, through, until } from './stage.js';

const SOON_MS = 500;

/** Asks as a request would that has half a second; what it gets, and how long that took. */
async function ask(db: Database, text = 'SELECT 1'): Promise<{ reason: string; tookMs: number }> {
  const startedAt = performance.now();
  const asked = runInContext({ deadline: startedAt + SOON_MS }, () => db.query(text));
  const reason = await asked.then(
    () => 'ok',
    (error: unknown) => (error instanceof PostgresUnavailableError ? error.reason : String(error)),
  );
  return { reason, tookMs: performance.now() - startedAt };
}

/** Asks all the time, until it is told to stop. */
function load(db: Database): { stop(): Promise<{ reasons: Set<string>; slowestMs: number }> } {
  const reasons = new Set<string>();
  let slowestMs = 0;
  const control = new AbortController();
  const workers = Array.from({ length: 5 }, async () => {
    while (!control.signal.aborted) {
      const { reason, tookMs } = await ask(db);
      reasons.add(reason);
      slowestMs = Math.max(slowestMs, tookMs);
      await sleep(5);
    }
  });
  return {
    async stop() {
      control.abort();
      await Promise.all(workers);
      return { reasons, slowestMs };
    },
  };
}

/** What a pool does while its server is away, and afterwards. */
export function itOutlivesPostgres(open: (url: string) => Database): void {
  /** For faults that are not its own. */
  let shared: PostgresServer;
  beforeAll(async () => {
    shared = await startPostgres();
  });
  afterAll(() => shared.stop());

  it.concurrent('dead at boot, refuses in time, and recovers by itself', async (context) => {
    const stage = stageOf(context);
    const server = await stage.postgres();
    await server.kill();
    const db = stage.closing(open(server.url));
    expect(db.state).toBe('connecting');

    const error = await errorOf(db.query('SELECT 1'));
    expect(error).toBeInstanceOf(PostgresUnavailableError);
    expect(error).toMatchObject({ status: 503, code: 'postgres_unavailable', reason: 'down' });
    expect(error.message).toBe('postgres "postgres": not connected: ECONNREFUSED');
    expect(db.state).toBe('down');
    expect(await db.check()).toMatchObject({
      status: 'unhealthy',
      reason: expect.stringContaining('postgres'),
    });

    await server.restart();
    await answers(db);
    await until(() => db.state === 'up');
  });

  it.concurrent('killed and restarted under load, refuses in time, and recovers by itself', async (context) => {
    const stage = stageOf(context);
    const server = await stage.postgres();
    const db = stage.closing(open(server.url));
    await answers(db);
    const running = load(db);
    await server.kill();
    await until(() => db.state === 'down');
    expect((await ask(db)).reason).toBe('breaker');

    await server.restart();
    await answers(db);
    const { reasons, slowestMs } = await running.stop();
    expect([...reasons].filter((reason) => !/^(ok|down|breaker|starting|timeout)$/.test(reason))).toEqual([]);
    expect(slowestMs).toBeLessThan(2 * SOON_MS);
    await until(() => db.state === 'up');
  });

  it.concurrent('frozen (SIGSTOP), refuses in time, then at once, and recovers by itself', async (context) => {
    const stage = stageOf(context);
    const server = await stage.postgres();
    const db = stage.closing(open(server.url));
    await answers(db);
    server.pause();
    const running = load(db);
    expect(await ask(db)).toEqual({ reason: 'timeout', tookMs: expect.any(Number) });
    await until(() => db.state === 'down');
    const { reason, tookMs } = await ask(db);
    expect(reason).toBe('breaker');
    expect(tookMs).toBeLessThan(SOON_MS / 2);
    await sleep(500);
    expect(db.state).toBe('down');

    server.resume();
    await answers(db);
    const { slowestMs } = await running.stop();
    expect(slowestMs).toBeLessThan(2 * SOON_MS);
    await until(() => db.state === 'up');
  });

  it.concurrent.for(['blackhole', 'partition', 'refuse', 'reset'] as const)(
    'behind a network in the state "%s", refuses in time, and recovers by itself',
    async (fault, context) => {
      const stage = stageOf(context);
      const proxy = await stage.proxy(shared);
      const db = stage.closing(open(through(proxy)));
      await Promise.all(Array.from({ length: 5 }, () => db.query('SELECT pg_sleep(0.05)')));
      await proxy[fault]();
      const running = load(db);
      await until(() => db.state === 'down');

      await proxy.pass();
      await answers(db);
      const { reasons, slowestMs } = await running.stop();
      expect([...reasons].filter((reason) => !/^(ok|down|breaker|timeout)$/.test(reason))).toEqual([]);
      expect(slowestMs).toBeLessThan(2 * SOON_MS);
      await until(() => db.state === 'up');
    },
  );

  it.concurrent('slow, keeps every deadline, and takes it for neither dead nor broken', async (context) => {
    const db = stageOf(context).closing(open(shared.url));
    await answers(db);
    const slow = await Promise.all(Array.from({ length: 8 }, () => ask(db, 'SELECT pg_sleep(20)')));
    expect(slow.map(({ reason }) => reason)).toEqual(slow.map(() => 'timeout'));
    expect(Math.max(...slow.map(({ tookMs }) => tookMs))).toBeLessThan(2 * SOON_MS);
    expect(db.state).toBe('up');
    expect((await ask(db)).reason).toBe('ok');
  });

  it.concurrent('out of connections, works with those it has, and refuses in time without', async (context) => {
    const stage = stageOf(context);
    const server = await stage.postgres({
      settings: { max_connections: '8', superuser_reserved_connections: '0' },
    });
    const db = stage.closing(open(server.url));
    await answers(db);
    const others = stage.closing(new pg.Pool({ connectionString: server.url, max: 20 }));
    others.on('error', () => undefined);
    const held = [];
    for (;;) {
      const client = await others.connect().catch(() => undefined);
      if (client === undefined) break;
      held.push(client);
    }
    // All at once, though there is but one connection.
    const asked = await Promise.all(Array.from({ length: 5 }, () => ask(db, 'SELECT pg_sleep(0.02)')));
    expect(asked.map(({ reason }) => reason)).toEqual(asked.map(() => 'ok'));

    const another = stage.closing(open(server.url));
    const { reason, tookMs } = await ask(another);
    expect(reason).toBe('connections');
    expect(tookMs).toBeLessThan(2 * SOON_MS);
    for (const client of held) client.release();
    await others.query('SELECT 1');
    for (const client of held.slice(0, 2)) await client.end().catch(() => undefined);
    await answers(another);
  });
}
