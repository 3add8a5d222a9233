import express from 'express';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { requestContext, runInContext } from '@signalbox/context';
import { signals, type DatabaseQuery, type PoolState } from '@signalbox/signals';
import { listen } from '@signalbox/testing';
import { startPostgres, type PostgresServer } from '../../../test/support/postgres.js';
import { connectPostgres, type Database, type PostgresLogger } from '../src/index.js';
import { fingerprint } from '../src/fingerprint.js';
import { errorOf, stageOf, until } from './stage.js';

let server: PostgresServer;
let db: Database;
let lines: { level: string; fields: object; message: string }[] = [];
const log: PostgresLogger = {
  warn: (fields, message) => void lines.push({ level: 'warn', fields, message }),
  debug: (fields, message) => void lines.push({ level: 'debug', fields, message }),
};
beforeAll(async () => {
  server = await startPostgres();
  db = connectPostgres(server.url, { name: 'app', slowMs: 100 });
});
afterAll(async () => {
  await db.close();
  await server.stop();
});
afterEach(() => {
  lines = [];
});

/** What a signal tells while a test runs. */
function heard<Payload extends object>(
  signal: { subscribe(listener: (payload: Payload) => void): () => void },
  onTestFinished: (fn: () => void) => void,
): Payload[] {
  const all: Payload[] = [];
  onTestFinished(signal.subscribe((payload) => void all.push(payload)));
  return all;
}

describe('a statement', () => {
  it('is told of when it has ended, with its outcome', async ({ onTestFinished }) => {
    const queries = heard<DatabaseQuery>(signals.databaseQuery, onTestFinished);
    await db.query("SELECT 'secret', $1::text", ['secret']);
    await errorOf(db.query('SELECT * FROM nowhere'));
    await errorOf(db.query('SELECT pg_sleep(60)', [], { timeoutMs: 60 }));
    const control = new AbortController();
    setTimeout(() => control.abort(), 30);
    await errorOf(db.query('SELECT pg_sleep(60)', [], { signal: control.signal }));
    expect(queries.map(({ pool, outcome, fingerprint }) => ({ pool, outcome, fingerprint }))).toEqual([
      { pool: 'app', outcome: 'ok', fingerprint: 'SELECT ?, $1::text' },
      { pool: 'app', outcome: 'error', fingerprint: 'SELECT * FROM nowhere' },
      { pool: 'app', outcome: 'timeout', fingerprint: 'SELECT pg_sleep(?)' },
      { pool: 'app', outcome: 'aborted', fingerprint: 'SELECT pg_sleep(?)' },
    ]);
    // A busy machine may make any of them slow.
    for (const { slow, durationMs } of queries) expect(slow).toBe(durationMs >= 100);
    expect(queries[0]?.durationMs).toBeGreaterThan(0);
  });

  it('that is slow is logged by its request, with route and id and without parameters', async ({
    onTestFinished,
  }) => {
    const queries = heard<DatabaseQuery>(signals.databaseQuery, onTestFinished);
    const app = express();
    app.use(requestContext(), (req, _res, next) => {
      Object.assign(req, { log });
      next();
    });
    const router = express.Router();
    router.get('/users/:id', async (req, res) => {
      await db.query("SELECT pg_sleep(0.15), $1::text, 'secret'", [req.params.id]);
      res.json(req.id);
    });
    app.use('/api', router);
    const url = await listen(app);
    const id: unknown = await (await fetch(`${url}/api/users/secret`)).json();

    const query = 'SELECT pg_sleep(?), $1::text, ?';
    expect(lines).toEqual([
      {
        level: 'warn',
        fields: {
          pool: 'app',
          query,
          durationMs: expect.any(Number),
          rows: 1,
          outcome: 'ok',
          route: '/api/users/:id',
          requestId: id,
        },
        message: expect.stringMatching(/^Slow query: SELECT pg_sleep\(\?\), \$1::text, \? took \d+ms$/),
      },
    ]);
    expect(queries).toHaveLength(1);
    expect(queries[0]).toMatchObject({ slow: true, route: '/api/users/:id', requestId: id });
  });

  it('that is slow in a job is logged by its logger, elsewhere by that of the options', async (context) => {
    await runInContext({ id: 'job-1', log }, () => db.query('SELECT pg_sleep(0.15)'));
    expect(lines).toMatchObject([{ level: 'warn', fields: { requestId: 'job-1' } }]);
    const other = stageOf(context).closing(connectPostgres(server.url, { log, slowMs: 100 }));
    await other.query('SELECT pg_sleep(0.15)');
    expect(lines).toMatchObject([{}, { level: 'warn', fields: { requestId: undefined } }]);
  });

  it('is logged in development, if asked to', async (context) => {
    const talking = stageOf(context).closing(connectPostgres(server.url, { log, queryLog: true }));
    await talking.query("SELECT 1 WHERE 'secret' <> $1", ['secret']);
    expect(lines).toMatchObject([{ level: 'debug', fields: { query: 'SELECT ? WHERE ? <> $1', rows: 0 } }]);
  });
});

describe('a pool', () => {
  it('tells of its connections when they change', async (context) => {
    const states = heard<PoolState>(signals.poolState, context.onTestFinished);
    const pool = stageOf(context).closing(connectPostgres(server.url, { name: 'small', max: 2 }));
    const asked = Array.from({ length: 5 }, () => pool.query('SELECT pg_sleep(0.1)'));
    const mine = (): PoolState[] => states.filter((state) => state.pool === 'small');
    await until(() => mine().some(({ size, waiting }) => size === 2 && waiting === 3));
    await Promise.all(asked);
    await until(() => {
      const { max, size, idle, waiting } = mine().at(-1) ?? {};
      return max === 2 && size === 2 && idle === 2 && waiting === 0;
    });
    expect(pool.stats()).toEqual({ max: 2, size: 2, idle: 2, waiting: 0 });
  });
});

describe('a fingerprint', () => {
  it.each([
    ['SELECT  *\n FROM t -- a comment\n WHERE a = 1', 'SELECT * FROM t WHERE a = ?'],
    ["SELECT 'it''s', E'\\'x', $$y'$$, $a$ $b$ $a$, x'ff', U&'d'", 'SELECT ?, ?, ?, ?, ?, ?'],
    ['SELECT "a 1" FROM t1 /* x */ WHERE b2 = $1', 'SELECT "a 1" FROM t1 WHERE b2 = $1'],
    ['SELECT 1.5e-3, .5, 0x1F, 1_000, -7', 'SELECT ?, ?, ?, ?, -?'],
    ['SELECT * FROM t WHERE id IN (1, 2,3)', 'SELECT * FROM t WHERE id IN (?)'],
    ['SELECT * FROM t WHERE id IN ($1, $2)', 'SELECT * FROM t WHERE id IN (?)'],
    ["INSERT INTO t VALUES (1, 'a'), (2, 'b')", 'INSERT INTO t VALUES (?)'],
    ["SELECT 'never closed", 'SELECT ?'],
  ])('of %j is %j', (text, expected) => {
    expect(fingerprint(text)).toBe(expected);
  });

  it('is made of any text, however long, in no time', () => {
    for (const piece of ["'", '$$', '/*', '"', '(1,', '--', "E'\\"]) {
      const startedAt = performance.now();
      expect(fingerprint(piece.repeat(1_000_000)).length).toBeLessThanOrEqual(1_000);
      expect(performance.now() - startedAt).toBeLessThan(1_000);
    }
  });
});
