import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runInContext } from '@signalbox/context';
import { startPostgres, type PostgresServer } from '../../../test/support/postgres.js';
import { connectPostgres, TransactionMisuseError, type Database, type PostgresLogger } from '../src/index.js';
import { errorOf, stageOf, until } from './stage.js';

let server: PostgresServer;
let db: Database;
beforeAll(async () => {
  server = await startPostgres({ settings: { deadlock_timeout: '50ms' } });
  db = connectPostgres(server.url);
});
afterAll(async () => {
  await db.close();
  await server.stop();
});

function notes(): { lines: [object, string][]; log: PostgresLogger } {
  const lines: [object, string][] = [];
  const note = (fields: object, message: string): void => void lines.push([fields, message]);
  return { lines, log: { warn: note, debug: note } };
}

describe('transaction, on a server', () => {
  it('is done again after serialization failures, so that no update is lost', async () => {
    await db.query('CREATE TABLE counter AS SELECT 0 AS n');
    let attempts = 0;
    const increment = (): Promise<void> =>
      db.transaction(
        async (tx) => {
          attempts += 1;
          const { rows } = await tx.query<{ n: number }>('SELECT n FROM counter');
          await tx.query('UPDATE counter SET n = $1', [(rows[0]?.n ?? 0) + 1]);
        },
        { isolation: 'serializable', retries: 100 },
      );
    await Promise.all(Array.from({ length: 10 }, increment));
    expect((await db.query('SELECT n FROM counter')).rows).toEqual([{ n: 10 }]);
    expect(attempts).toBeGreaterThan(10);
  });

  it('is done again after a deadlock', async () => {
    await db.query('CREATE TABLE pair AS SELECT id, 0 AS n FROM generate_series(1, 2) AS id');
    const add = (...ids: number[]): Promise<void> =>
      db.transaction(async (tx) => {
        for (const id of ids) {
          await tx.query('UPDATE pair SET n = n + 1 WHERE id = $1', [id]);
          await tx.query('SELECT pg_sleep(0.05)');
        }
      });
    await Promise.all([add(1, 2), add(2, 1)]);
    expect((await db.query('SELECT n FROM pair')).rows).toEqual([{ n: 2 }, { n: 2 }]);
  });

  it('is not done again more often than it may, nor for other errors', async () => {
    let attempts = 0;
    const failing = (code: string): Promise<unknown> =>
      db.transaction(
        async (tx) => {
          attempts += 1;
          await tx.query(`DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '${code}'; END $$`);
        },
        { retries: 2 },
      );
    expect(await errorOf(failing('40001'))).toMatchObject({ code: '40001' });
    expect(attempts).toBe(3);
    expect(await errorOf(failing('23505'))).toMatchObject({ code: '23505' });
    expect(attempts).toBe(4);
  });

  it('is done again when the app has wrapped the error', async () => {
    let attempts = 0;
    await db.transaction(async (tx) => {
      attempts += 1;
      if (attempts > 1) return;
      await tx
        .query("DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '40P01'; END $$")
        .catch((cause: unknown) => {
          throw new Error('the transfer failed', { cause });
        });
    });
    expect(attempts).toBe(2);
  });

  it('may ask more at once than it waits for a connection', async (context) => {
    const hasty = stageOf(context).closing(connectPostgres(server.url, { connectTimeoutMs: 100 }));
    await hasty.query('SELECT 1');
    const results = await hasty.transaction(async (tx) =>
      Promise.all([1, 2, 3].map((n) => tx.query('SELECT pg_sleep(0.1), $1::int AS n', [n]))),
    );
    expect(results.map(({ rows }) => rows[0]?.['n'])).toEqual([1, 2, 3]);
  });

  it('fails when its connection is ended, and the pool replaces that', async () => {
    const killed = db.transaction(async (tx) => {
      const { rows } = await tx.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      await db.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
      await tx.query('SELECT 1');
    });
    expect(await errorOf(killed)).toMatchObject({ reason: 'down', status: 503 });
    expect((await db.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });

  it('that holds its connection for long is reported, with the place where it began', async (context) => {
    const { lines, log } = notes();
    const watched = stageOf(context).closing(connectPostgres(server.url, { leakWarningMs: 50, log }));
    async function forgetful(): Promise<void> {
      await watched.transaction(async () => until(() => lines.length > 0));
    }
    await forgetful();
    const [fields, message] = lines[0] ?? [];
    expect(message).toMatch(/^postgres "postgres": a transaction has held its connection for \d+ ms$/);
    expect(fields).toMatchObject({ pool: 'postgres', takenAt: expect.stringContaining('forgetful') });
  });

  it('that does nothing for too long is rolled back, and its connection given back', async (context) => {
    const idle = stageOf(context).closing(connectPostgres(server.url, { max: 1, idleTransactionMs: 100 }));
    const stuck = idle.transaction(async (tx) => {
      await tx.query('CREATE TABLE stuck (id int)');
      await new Promise(() => undefined);
    });
    const error = await errorOf(stuck);
    expect(error).toBeInstanceOf(TransactionMisuseError);
    expect(error.message).toBe('the transaction did nothing for 100 ms and was rolled back');
    expect(await errorOf(idle.query('SELECT * FROM stuck'))).toMatchObject({ code: '42P01' });
  });

  it('does not hand its connection on while a statement that nobody waited for keeps it from its end', async (context) => {
    const one = stageOf(context).closing(connectPostgres(server.url, { max: 1 }));
    await one.query('CREATE TABLE hurried (id int)');
    const hurried = runInContext({ deadline: performance.now() + 300 }, () =>
      one.transaction(async (tx) => {
        await tx.query('INSERT INTO hurried VALUES (1)');
        tx.query('SELECT pg_sleep(2)').catch(() => undefined);
      }),
    );
    expect(await errorOf(hurried)).toMatchObject({ status: 503, reason: 'timeout' });
    await one.query('INSERT INTO hurried VALUES (2)');
    expect((await one.query('SELECT id FROM hurried')).rows).toEqual([{ id: 2 }]);
  });

  it('does not hand a connection on that somebody has left in a transaction', async (context) => {
    const one = stageOf(context).closing(connectPostgres(server.url, { max: 1 }));
    await one.query('BEGIN');
    const { rows } = await one.query('SELECT now() = statement_timestamp() AS alone');
    expect(rows).toEqual([{ alone: true }]);
  });
});
