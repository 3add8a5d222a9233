import { describe, expect, it } from 'vitest';
import { connectPostgres } from '../src/index.js';
import { itOutlivesPostgres } from './outage-contract.js';
import { errorOf, stageOf } from './stage.js';

describe('a pool', () => itOutlivesPostgres((url) => connectPostgres(url)));

describe('a pool that is full', () => {
  it('refuses what has waited for too long, and says so', async (context) => {
    const stage = stageOf(context);
    const server = await stage.postgres();
    const db = stage.closing(connectPostgres(server.url, { max: 2, connectTimeoutMs: 200 }));
    const busy = [1, 2].map(() => db.query('SELECT pg_sleep(1)'));
    expect(await errorOf(db.query('SELECT 1'))).toMatchObject({ reason: 'pool', status: 503 });
    await Promise.all(busy);
    expect((await db.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });

  it('of transactions that each wait for another connection, is a mistake that is named', async (context) => {
    const stage = stageOf(context);
    const server = await stage.postgres();
    const db = stage.closing(connectPostgres(server.url, { max: 1, connectTimeoutMs: 200 }));
    const error = await errorOf(db.transaction(async () => db.query('SELECT 1')));
    expect(error.message).toContain(
      'this is inside a transaction, whose own tx.query() needs no other connection',
    );
    expect((await db.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });
});
