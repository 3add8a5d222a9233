import { afterAll, beforeAll, describe } from 'vitest';
import pg from 'pg';
import { startPostgres, type PostgresServer } from '../../../test/support/postgres.js';
import { connectPostgres, type Database } from '../src/index.js';
import { itKeepsTheDatabaseContract } from './database-contract.js';

let server: PostgresServer;
let db: Database;
let pool: pg.Pool;
let pooled: Database;
beforeAll(async () => {
  server = await startPostgres();
  db = connectPostgres(server.url);
  pool = new pg.Pool({ connectionString: server.url });
  pooled = connectPostgres(pool, { name: 'theirs', migrationsTable: 'app.migrations' });
});
afterAll(async () => {
  await db.close();
  await pooled.close();
  await pool.end();
  await server.stop();
});

describe('a pool to a server', () => itKeepsTheDatabaseContract(() => db));
describe("a pool of the user's own", () => itKeepsTheDatabaseContract(() => pooled));
