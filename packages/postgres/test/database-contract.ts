import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runInContext } from '@signalbox/context';
import { MigrationError, TransactionMisuseError, type Database } from '../src/index.js';
import { errorOf } from './stage.js';

let tables = 0;

/** A table of the test's own. */
async function makeTable(db: Database, columns = 'id int PRIMARY KEY, note text'): Promise<string> {
  tables += 1;
  const table = `t${process.pid}_${tables}`;
  await db.query(`CREATE TABLE ${table} (${columns})`);
  return table;
}

async function idsOf(db: Database, table: string): Promise<number[]> {
  const { rows } = await db.query<{ id: number }>(`SELECT id FROM ${table} ORDER BY id`);
  return rows.map(({ id }) => id);
}

/** What every database does, be it a pool of connections to a server, or embedded. */
export function itKeepsTheDatabaseContract(open: () => Database): void {
  describe('query', () => {
    it('gives rows and their number', async () => {
      const db = open();
      expect(await db.query('SELECT $1::int + 1 AS sum', [41])).toEqual({ rows: [{ sum: 42 }], rowCount: 1 });
      const table = await makeTable(db);
      expect(await db.query(`INSERT INTO ${table} VALUES (1), (2)`)).toEqual({ rows: [], rowCount: 2 });
      expect(await db.query(`UPDATE ${table} SET note = $1 RETURNING id`, ['x'])).toEqual({
        rows: [{ id: 1 }, { id: 2 }],
        rowCount: 2,
      });
    });

    it.each([
      ['SELECT 9007199254740993::int8 AS v', [], '9007199254740993'],
      ['SELECT 1.50::numeric AS v', [], '1.50'],
      ['SELECT $1::date AS v', [new Date(2024, 1, 29)], new Date(2024, 1, 29)],
      ['SELECT $1::timestamptz AS v', [new Date(1_700_000_000_123)], new Date(1_700_000_000_123)],
      ['SELECT $1::timestamp AS v', [new Date(1_700_000_000_123)], new Date(1_700_000_000_123)],
      ['SELECT $1::bytea AS v', [Buffer.from([0, 255, 39])], Buffer.from([0, 255, 39])],
      ['SELECT $1::jsonb AS v', [{ a: [1, null, "it's"] }], { a: [1, null, "it's"] }],
      ['SELECT $1::jsonb AS v', [JSON.stringify([1, 2])], [1, 2]],
      ['SELECT $1::text[] AS v', [['a"b', 'c\\d', null, '']], ['a"b', 'c\\d', null, '']],
      [
        'SELECT $1::int[] AS v',
        [
          [
            [1, 2],
            [3, 4],
          ],
        ],
        [
          [1, 2],
          [3, 4],
        ],
      ],
      ['SELECT $1::boolean AS v', [true], true],
      ['SELECT $1::text AS v', [5], '5'],
      ['SELECT $1::int AS v', ['7'], 7],
      ['SELECT $1::int8 AS v', [10n], '10'],
      ['SELECT $1::text AS v', [undefined], null],
      [
        'SELECT $1::uuid AS v',
        ['01890a5d-ac96-774b-bcce-b302099a8057'],
        '01890a5d-ac96-774b-bcce-b302099a8057',
      ],
      ["SELECT '{1,2}'::int8[] AS v", [], ['1', '2']],
    ])('carries values as pg does: %s', async (text, values, expected) => {
      const { rows } = await open().query<{ v: unknown }>(text, values);
      expect(rows[0]?.v).toEqual(expected);
    });

    it('takes any text through unharmed', async () => {
      const db = open();
      await fc.assert(
        fc.asyncProperty(fc.string({ unit: 'binary' }), async (text) => {
          const storable = text.replaceAll('\0', '');
          const { rows } = await db.query('SELECT $1::text AS v, $2::text[] AS a', [storable, [storable]]);
          expect(rows).toEqual([{ v: storable, a: [storable] }]);
        }),
        { numRuns: 20 },
      );
    });

    it('gives errors of the server as they are, with their code, and goes on', async () => {
      const db = open();
      const table = await makeTable(db);
      await db.query(`INSERT INTO ${table} VALUES (1)`);
      const duplicate = await errorOf(db.query(`INSERT INTO ${table} VALUES ($1)`, [1]));
      expect(duplicate).toMatchObject({ code: '23505', severity: 'ERROR' });
      expect(await errorOf(db.query('SELECT * FROM nowhere'))).toMatchObject({ code: '42P01' });
      expect(await errorOf(db.query('SELEC'))).toMatchObject({ code: '42601' });
      expect(await errorOf(db.query('SELECT $1::int', ['x']))).toMatchObject({ code: '22P02' });
      expect(await idsOf(db, table)).toEqual([1]);
    });

    it('shows in an error neither parameters nor the values of a row', async () => {
      const db = open();
      const table = await makeTable(db, 'email text UNIQUE');
      await db.query(`INSERT INTO ${table} VALUES ($1)`, ['s3cret@example.com']);
      const error = await errorOf(db.query(`INSERT INTO ${table} VALUES ($1)`, ['s3cret@example.com']));
      expect(JSON.stringify([error, error.message])).not.toContain('s3cret');
      expect(error).toHaveProperty('detail', expect.stringContaining('s3cret'));
    });

    it('has a stack that leads to who asked', async () => {
      async function askBadly(): Promise<void> {
        await open().query('SELECT * FROM nowhere');
      }
      expect((await errorOf(askBadly())).stack).toContain('askBadly');
    });

    it.each([
      [[''], 'query: "text" must be a statement, got ""'],
      [[undefined], 'query: "text" must be a statement, got undefined'],
      [['SELECT 1', 'x'], 'query: "values" must be a list, got "x"'],
      [['SELECT 1', [], { timeout: 5 }], 'query: "timeout" is not an option; did you mean "timeoutMs"?'],
      [['SELECT 1', [], { timeoutMs: 0 }], 'query: "timeoutMs" must be an integer'],
      [['SELECT 1', [], { signal: 5 }], 'query: "signal" must be an AbortSignal, got 5'],
    ])('refuses %j', async (args, words) => {
      const { query } = open() as { query(this: void, ...args: unknown[]): Promise<unknown> };
      const error = await errorOf(query(...args));
      expect(error).toBeInstanceOf(TypeError);
      expect(error.message).toContain(words);
    });

    it('is not sent when its signal is aborted already', async () => {
      const reason = new Error('enough');
      const signal = AbortSignal.abort(reason);
      expect(await errorOf(open().query('SELECT 1', [], { signal }))).toBe(reason);
      expect(await errorOf(open().transaction(async () => 1, { signal }))).toBe(reason);
    });

    it('is refused when the deadline of its request is over', async () => {
      const asked = runInContext({ deadline: performance.now() - 1 }, () => open().query('SELECT 1'));
      expect(await errorOf(asked)).toMatchObject({ status: 503, reason: 'timeout' });
    });

    it('does not let a BEGIN of its own reach what comes next', async () => {
      const db = open();
      const table = await makeTable(db);
      await db.query('BEGIN');
      await db.query(`INSERT INTO ${table} VALUES (1)`);
      await db.query('ROLLBACK');
      expect(await idsOf(db, table)).toEqual([1]);
    });
  });

  describe('transaction', () => {
    it('commits what its work did, and gives what it returned', async () => {
      const db = open();
      const table = await makeTable(db);
      const result = await db.transaction(async (tx) => {
        await tx.query(`INSERT INTO ${table} VALUES (1)`);
        await tx.query(`INSERT INTO ${table} VALUES ($1)`, [2]);
        return 'done';
      });
      expect(result).toBe('done');
      expect(await idsOf(db, table)).toEqual([1, 2]);
    });

    it('rolls back when its work fails, and rejects with that error', async () => {
      const db = open();
      const table = await makeTable(db);
      const reason = new Error('no');
      const failed = db.transaction(async (tx) => {
        await tx.query(`INSERT INTO ${table} VALUES (1)`);
        throw reason;
      });
      expect(await errorOf(failed)).toBe(reason);
      expect(await idsOf(db, table)).toEqual([]);
    });

    it('runs in the isolation it is given', async () => {
      const level = await open().transaction(
        async (tx) => (await tx.query("SELECT current_setting('transaction_isolation') AS level")).rows,
        { isolation: 'serializable' },
      );
      expect(level).toEqual([{ level: 'serializable' }]);
    });

    it('keeps the order of statements that are asked at once, and commits after all of them', async () => {
      const db = open();
      const table = await makeTable(db, 'id serial, n int');
      await db.transaction(async (tx) => {
        for (let n = 0; n < 20; n += 1) void tx.query(`INSERT INTO ${table} (n) VALUES ($1)`, [n]);
      });
      const { rows } = await db.query<{ n: number }>(`SELECT n FROM ${table} ORDER BY id`);
      expect(rows.map(({ n }) => n)).toEqual(Array.from({ length: 20 }, (_, n) => n));
    });

    it('is rolled back, and says so, when an error of a statement was swallowed', async () => {
      const db = open();
      const table = await makeTable(db);
      const swallowing = db.transaction(async (tx) => {
        await tx.query(`INSERT INTO ${table} VALUES (1)`);
        await tx.query('SELECT * FROM nowhere').catch(() => undefined);
      });
      const error = await errorOf(swallowing);
      expect(error).toBeInstanceOf(TransactionMisuseError);
      expect(error.message).toContain('whose error was not passed on');
      expect(error.cause).toMatchObject({ code: '42P01' });
      expect(await idsOf(db, table)).toEqual([]);
    });

    it('takes no statement after its end', async () => {
      const db = open();
      const tx = await db.transaction(async (running) => running);
      const error = await errorOf(tx.query('SELECT 1'));
      expect(error).toBeInstanceOf(TransactionMisuseError);
      expect(error.message).toContain('the transaction is over');
    });

    it('undoes nested work alone when that fails', async () => {
      const db = open();
      const table = await makeTable(db);
      await db.transaction(async (tx) => {
        await tx.query(`INSERT INTO ${table} VALUES (1)`);
        const nested = tx.transaction(async (inner) => {
          await inner.query(`INSERT INTO ${table} VALUES (2)`);
          await inner.transaction(async (innermost) => innermost.query(`INSERT INTO ${table} VALUES (3)`));
          await inner.query(`INSERT INTO ${table} VALUES (1)`);
        });
        expect(await errorOf(nested)).toMatchObject({ code: '23505' });
        await tx.transaction(async (inner) => inner.query(`INSERT INTO ${table} VALUES (4)`));
      });
      expect(await idsOf(db, table)).toEqual([1, 4]);
    });

    it('refuses what would mix with nested work, and nested work that swallowed an error', async () => {
      const db = open();
      await db.transaction(async (tx) => {
        const nested = tx.transaction(async (inner) => {
          expect((await errorOf(tx.query('SELECT 1'))).message).toContain(
            'a nested transaction is under way',
          );
          expect(await errorOf(tx.transaction(async () => 1))).toBeInstanceOf(TransactionMisuseError);
          await inner.query('SELECT * FROM nowhere').catch(() => undefined);
        });
        expect((await errorOf(nested)).message).toContain('the nested transaction is rolled back');
        await tx.query('SELECT 1');
      });
    });

    it('is rolled back when its signal is aborted, whatever its work does', async () => {
      const db = open();
      const table = await makeTable(db);
      const control = new AbortController();
      const aborted = db.transaction(
        async (tx) => {
          await tx.query(`INSERT INTO ${table} VALUES (1)`);
          control.abort(new Error('gone'));
          await new Promise(() => undefined);
        },
        { signal: control.signal },
      );
      expect((await errorOf(aborted)).message).toBe('gone');
      expect(await idsOf(db, table)).toEqual([]);
    });

    it('ends with the deadline of its request', async () => {
      const db = open();
      const deadline = performance.now() + 200;
      const late = runInContext({ deadline }, () => db.transaction(() => new Promise(() => undefined)));
      expect(await errorOf(late)).toMatchObject({ status: 503, reason: 'timeout' });
      expect(performance.now()).toBeLessThan(deadline + 1_000);
      await db.query('SELECT 1');
    });

    it('whose deadline passes while the process is busy leaves nothing of it to what comes next', async () => {
      const db = open();
      const table = await makeTable(db);
      const deadline = performance.now() + 200;
      const late = runInContext({ deadline }, () =>
        db.transaction(async (tx) => {
          await tx.query(`INSERT INTO ${table} VALUES (1)`);
          while (performance.now() < deadline + 10);
        }),
      );
      expect(await errorOf(late)).toMatchObject({ status: 503, reason: 'timeout' });
      await db.query(`INSERT INTO ${table} VALUES (2)`);
      expect(await idsOf(db, table)).toEqual([2]);
    });

    it.each([
      [['x'], 'transaction: "work" must be a function, got "x"'],
      [[async () => 1, { isolation: 'snapshot' }], 'transaction: "isolation" must be "read committed" or'],
      [[async () => 1, { retries: -1 }], 'transaction: "retries" must be an integer from 0 to 100, got -1'],
      [[async () => 1, { retrys: 1 }], 'transaction: "retrys" is not an option; did you mean "retries"?'],
    ])('refuses %j', async (args, words) => {
      const { transaction } = open() as { transaction(this: void, ...args: unknown[]): Promise<unknown> };
      const error = await errorOf(transaction(...args));
      expect(error).toBeInstanceOf(TypeError);
      expect(error.message).toContain(words);
    });

    it('loses nothing and keeps nothing that was rolled back, in any mixture', async () => {
      const db = open();
      const table = await makeTable(db);
      let next = 0;
      const kept = new Set<number>();
      const step = fc.constantFrom('commit', 'throw', 'nested throw', 'query', 'abort');
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), async (steps) => {
          await Promise.all(steps.map((kind) => play(db, table, kind, (next += 1), kept)));
        }),
        { numRuns: 25 },
      );
      expect(await idsOf(db, table)).toEqual([...kept].toSorted((a, b) => a - b));
    });
  });

  describe('migrate', () => {
    it('applies in order what is missing, once', async () => {
      const db = open();
      const table = await makeTable(db);
      const first = {
        name: `${table}-1`,
        up: `INSERT INTO ${table} VALUES (1); INSERT INTO ${table} VALUES (2)`,
      };
      const second = {
        name: `${table}-2`,
        up: async (tx: { query(text: string, values: number[]): Promise<unknown> }) =>
          tx.query(`INSERT INTO ${table} VALUES ($1)`, [3]),
      };
      expect((await db.migrate([first])).applied).toEqual([first.name]);
      const report = await db.migrate([first, second]);
      expect(report.applied).toEqual([second.name]);
      expect(report.known).toEqual([first.name]);
      expect((await db.migrate([first, second])).applied).toEqual([]);
      expect((await db.migrate([first])).unknown).toContain(second.name);
      expect(await idsOf(db, table)).toEqual([1, 2, 3]);
    });

    it('undoes one that fails, keeps those before it, and names it', async () => {
      const db = open();
      const table = await makeTable(db);
      const good = { name: `${table}-good`, up: `INSERT INTO ${table} VALUES (1)` };
      const bad = { name: `${table}-bad`, up: `INSERT INTO ${table} VALUES (2); SELECT * FROM nowhere` };
      const error = await errorOf<MigrationError>(db.migrate([good, bad]));
      expect(error).toBeInstanceOf(MigrationError);
      expect(error.message).toBe(`migrate: "${bad.name}" failed: relation "nowhere" does not exist`);
      expect(error.migration).toBe(bad.name);
      expect(await idsOf(db, table)).toEqual([1]);
      expect((await db.migrate([good, { ...bad, up: `INSERT INTO ${table} VALUES (3)` }])).applied).toEqual([
        bad.name,
      ]);
    });

    it('refuses one that has changed since it was applied, before it applies any other', async () => {
      const db = open();
      const table = await makeTable(db);
      const first = { name: `${table}-1`, up: `INSERT INTO ${table} VALUES (1)` };
      const second = { name: `${table}-2`, up: `INSERT INTO ${table} VALUES (2)` };
      await db.migrate([second]);
      const error = await errorOf(db.migrate([first, { ...second, up: `${second.up} -- changed` }]));
      expect(error).toBeInstanceOf(MigrationError);
      expect(error.message).toContain(`"${second.name}" is not what it was when it was applied`);
      expect(await idsOf(db, table)).toEqual([2]);
      // How lines end is no change.
      expect((await db.migrate([{ ...second, up: `${second.up}\r\n` }])).applied).toEqual([]);
    });

    it('keeps to itself what a migration has set for its session', async () => {
      const db = open();
      const table = await makeTable(db);
      const settings = `SELECT current_setting('search_path') AS path, current_setting('role') AS role,
        current_setting('lock_timeout') AS lock, current_setting('row_security') AS security`;
      const { rows: before } = await db.query(settings);
      await db.query(`CREATE ROLE ${table}_role`);
      const set = `SELECT pg_catalog.set_config('search_path', '', false); SET lock_timeout = '7s'; SET row_security = off;
        SET ROLE ${table}_role`;
      const list = [
        { name: `${table}-1`, up: set },
        { name: `${table}-2`, up: set, transaction: false },
        { name: `${table}-3`, up: `INSERT INTO ${table} VALUES (1)` },
      ];
      expect((await db.migrate(list)).applied).toHaveLength(3);
      expect((await db.query(settings)).rows).toEqual(before);

      const failing = `${set}; SELECT * FROM nowhere`;
      expect(await errorOf(db.migrate([{ name: `${table}-4`, up: failing }]))).toBeInstanceOf(MigrationError);
      expect((await db.query(settings)).rows).toEqual(before);
      expect(await idsOf(db, table)).toEqual([1]);
    });

    it('is done once by many that start at once', async () => {
      const db = open();
      const table = await makeTable(db);
      const list = [1, 2, 3].map((n) => ({
        name: `${table}-${n}`,
        up: `INSERT INTO ${table} VALUES (${n})`,
      }));
      const reports = await Promise.all(Array.from({ length: 4 }, () => db.migrate(list)));
      expect(reports.flatMap(({ applied }) => applied).toSorted()).toEqual(list.map(({ name }) => name));
      expect(await idsOf(db, table)).toEqual([1, 2, 3]);
    });

    it.each([
      ['x', 'migrate: "migrations" must be a list of migrations, or the URL of a folder, got "x"'],
      [[{ name: '', up: 'SELECT 1' }], 'migrate: "migrations[0].name" must be a non-empty string'],
      [[{ name: 'a', up: ' ' }], 'migrate: "migrations[0].up" must be a non-empty string'],
      [[{ name: 'a', sql: 'SELECT 1' }], 'migrate: "sql" is not an option'],
      [
        [
          { name: 'a', up: 'SELECT 1' },
          { name: 'a', up: 'SELECT 2' },
        ],
        'migrate: two migrations are called "a"',
      ],
    ])('refuses %j', async (migrations, words) => {
      const error = await errorOf(open().migrate(migrations as never));
      expect(error).toBeInstanceOf(TypeError);
      expect(error.message).toContain(words);
    });
  });

  describe('check', () => {
    it('finds a database that answers healthy, and says what it is', async () => {
      expect(await open().check()).toEqual({
        status: 'healthy',
        details: {
          latencyMs: expect.any(Number),
          role: 'primary',
          version: expect.stringMatching(/^\d+/),
          pool: expect.objectContaining({ max: expect.any(Number) }),
        },
      });
    });
  });
}

/** Writes one row in one of several ways, and notes whether it has to be there afterwards. */
async function play(db: Database, table: string, kind: string, id: number, kept: Set<number>): Promise<void> {
  const insert = `INSERT INTO ${table} VALUES (${id})`;
  if (kind === 'query' || kind === 'commit') kept.add(id);
  if (kind === 'query') {
    await db.query(insert);
    return;
  }
  const control = new AbortController();
  const work = db.transaction(
    async (tx) => {
      if (kind === 'nested throw') {
        await tx.transaction(async (inner) => {
          await inner.query(insert);
          throw new Error('no');
        });
      }
      await tx.query(insert);
      if (kind === 'throw') throw new Error('no');
      if (kind !== 'abort') return;
      control.abort(new Error('no'));
      await new Promise(() => undefined);
    },
    { signal: control.signal },
  );
  await work.catch((error: Error) => {
    if (error.message !== 'no') throw error;
  });
}
