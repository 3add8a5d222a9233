import express from 'express';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deadline, requestContext, runInContext } from '@signalbox/context';
import { errorHandler } from '@signalbox/errors';
import { listen } from '@signalbox/testing';
import { startPostgres, type PostgresServer } from '../../../test/support/postgres.js';
import { connectPostgres, type Database } from '../src/index.js';
import { errorOf, runningStatements, stageOf, until } from './stage.js';

let server: PostgresServer;
let db: Database;
beforeAll(async () => {
  server = await startPostgres();
  db = connectPostgres(server.url, { max: 4 });
});
afterAll(async () => {
  await db.close();
  await server.stop();
});

/** As a request logger does, so that the error handler prints nothing. */
const reportedElsewhere: express.RequestHandler = (_req, res, next) => {
  Object.defineProperty(res, 'err', { writable: true, value: undefined });
  next();
};

/** The process of the one connection. */
async function processOf(one: Database): Promise<unknown> {
  return (await one.query('SELECT pg_backend_pid() AS pid')).rows[0];
}

describe('a statement that nobody waits for any more', () => {
  it('is cancelled on the server when its signal is aborted, and its connection is used again', async (context) => {
    const one = stageOf(context).closing(connectPostgres(server.url, { max: 1 }));
    const before = await processOf(one);
    const control = new AbortController();
    const asked = one.query("SELECT pg_sleep(60), 'by signal'", [], { signal: control.signal });
    await until(async () => (await runningStatements(db, 'by signal')) === 1);
    const abortedAt = performance.now();
    control.abort(new Error('enough'));
    expect((await errorOf(asked)).message).toBe('enough');
    expect(performance.now() - abortedAt).toBeLessThan(1_000);
    expect(await processOf(one)).toEqual(before);
    expect(await runningStatements(db, 'by signal')).toBe(0);
  });

  it('is cancelled when its client goes away', async () => {
    const app = express();
    app.use(requestContext());
    app.get('/', async (_req, res) => {
      await db.query("SELECT pg_sleep(60), 'by client'");
      res.end();
    });
    app.use(errorHandler());
    const url = await listen(app);
    const control = new AbortController();
    const asked = fetch(url, { signal: control.signal });
    await until(async () => (await runningStatements(db, 'by client')) === 1);
    control.abort();
    await errorOf(asked);
    await until(async () => (await runningStatements(db, 'by client')) === 0);
  });

  it('is given up in time for its request to be answered, and cancelled', async () => {
    const app = express();
    // As much time as leaves the longest for the answer, 100 ms.
    app.use(requestContext(), deadline(1_000), reportedElsewhere);
    app.get('/', async (_req, res) => {
      await db.query("SELECT pg_sleep(60), 'by deadline'");
      res.end();
    });
    app.use(errorHandler());
    const response = await fetch(await listen(app));
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await response.json()).toMatchObject({ error: { type: 'postgres_unavailable' } });
    await until(async () => (await runningStatements(db, 'by deadline')) === 0);
  });

  it.each([
    ['timeoutMs', () => db.query('SELECT pg_sleep(60)', [], { timeoutMs: 100 })],
    [
      'the deadline of a job',
      () => runInContext({ deadline: performance.now() + 100 }, () => db.query('SELECT pg_sleep(60)')),
    ],
  ])('ends by %s', async (_what, ask) => {
    expect(await errorOf(ask())).toMatchObject({ reason: 'timeout', status: 503 });
  });

  it('ends a transaction, whose connection is used again', async (context) => {
    const one = stageOf(context).closing(connectPostgres(server.url, { max: 1 }));
    const before = await processOf(one);
    const control = new AbortController();
    const work = one.transaction(
      async (tx) => {
        await tx.query('CREATE TABLE never (id int)');
        await tx.query("SELECT pg_sleep(60), 'in transaction'");
      },
      { signal: control.signal },
    );
    await until(async () => (await runningStatements(db, 'in transaction')) === 1);
    control.abort(new Error('enough'));
    expect((await errorOf(work)).message).toBe('enough');
    expect(await processOf(one)).toEqual(before);
    expect(await errorOf(one.query('SELECT * FROM never'))).toMatchObject({ code: '42P01' });
  });

  it('never takes another with it, whenever it is aborted', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(60), { minLength: 8, maxLength: 16 }), async (delays) => {
        await Promise.all(
          delays.map(async (delayMs, index) => {
            // Every other one is aborted, about when it ends.
            const isVictim = index % 2 === 0;
            const control = new AbortController();
            const timer = setTimeout(() => control.abort(new Error('enough')), delayMs);
            const asked = db.query<{ i: number }>('SELECT pg_sleep(0.03), $1::int AS i', [index], {
              signal: isVictim ? control.signal : undefined,
            });
            const outcome = await asked.then(
              ({ rows }) => rows[0]?.i,
              (error: Error) => error.message,
            );
            clearTimeout(timer);
            if (isVictim) expect([index, 'enough']).toContain(outcome);
            else expect(outcome).toBe(index);
          }),
        );
      }),
      { numRuns: 12 },
    );
  });
});

describe('limits of the server', () => {
  it('end a statement with its own error, 57014, also for what waits for a lock', async (context) => {
    const limited = stageOf(context).closing(
      connectPostgres(server.url, { statementTimeoutMs: 150, lockTimeoutMs: 100 }),
    );
    expect(await errorOf(limited.query('SELECT pg_sleep(60)'))).toMatchObject({ code: '57014' });
    await db.query('CREATE TABLE locked (id int)');
    await db.transaction(async (tx) => {
      await tx.query('LOCK TABLE locked');
      expect(await errorOf(limited.query('SELECT * FROM locked'))).toMatchObject({ code: '55P03' });
    });
  });

  it('of a pool of the user are not there, so that a statement is given up and cancelled', async (context) => {
    const pg = await import('pg');
    const stage = stageOf(context);
    const pool = stage.closing(new pg.default.Pool({ connectionString: server.url }));
    const pooled = stage.closing(connectPostgres(pool, { statementTimeoutMs: 100 }));
    expect(await errorOf(pooled.query("SELECT pg_sleep(60), 'mine'"))).toMatchObject({ reason: 'timeout' });
    await until(async () => (await runningStatements(db, 'mine')) === 0);
  });
});
