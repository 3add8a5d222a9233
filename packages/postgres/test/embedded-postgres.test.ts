import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { embeddedPostgres, TransactionMisuseError, type Database } from '../src/index.js';
import { errorOf } from './stage.js';
import { itKeepsTheDatabaseContract } from './database-contract.js';

let db: Database;
beforeAll(async () => {
  db = embeddedPostgres();
  await db.query('SELECT 1');
});
afterAll(() => db.close());

describe('an embedded Postgres', () => {
  itKeepsTheDatabaseContract(() => db);

  it('says at once when a transaction would wait for itself', async () => {
    const stuck = db.transaction(async (tx) => {
      await tx.query('SELECT 1');
      await db.query('SELECT 1');
    });
    const error = await errorOf(stuck);
    expect(error).toBeInstanceOf(TransactionMisuseError);
    expect(error.message).toContain("use the transaction's own tx.query()");
    expect(await errorOf(db.transaction(async () => db.transaction(async () => 1)))).toBeInstanceOf(
      TransactionMisuseError,
    );
    const inMigration = db.migrate([{ name: 'm', up: async () => db.query('SELECT 1') }]);
    expect((await errorOf(inMigration)).message).toContain("use the transaction's own tx.query()");

    // Where nothing tells that it is inside, it is refused in time all the same.
    let leave: () => void = () => undefined;
    const holding = db.transaction(() => new Promise<void>((resolve) => (leave = resolve)));
    const waiting = errorOf(db.query('SELECT 1', [], { timeoutMs: 100 }));
    expect(await waiting).toMatchObject({ reason: 'pool', status: 503 });
    leave();
    await holding;
    expect((await db.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });
});
