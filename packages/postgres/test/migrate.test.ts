import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test/support/keeper.js';
import { startPostgres, type PostgresServer } from '../../../test/support/postgres.js';
import { connectPostgres, MigrationError, type Database } from '../src/index.js';
import { errorOf, stageOf, until } from './stage.js';

let server: PostgresServer;
let db: Database;
beforeAll(async () => {
  server = await startPostgres();
  db = connectPostgres(server.url);
});
afterAll(async () => {
  await db.close();
  await server.stop();
});

function folderOf(files: Readonly<Record<string, string>>): URL {
  const folder = join(temporaryFolder('migrations').path, 'migrations');
  mkdirSync(folder);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return pathToFileURL(folder);
}

describe('migrate, on a server', () => {
  it('applies the files of a folder in the order of their names', async () => {
    const folder = folderOf({
      '0002-index.sql': '-- no transaction\nCREATE INDEX CONCURRENTLY by_note ON books (note)',
      '0001-books.sql': "CREATE TABLE books (note text);\nINSERT INTO books VALUES ('a;b')",
      '0003-by-windows.sql': '\uFEFFCREATE TABLE shelves (note text);\r\n',
      'README.md': 'nothing',
    });
    const names = ['0001-books', '0002-index', '0003-by-windows'];
    expect((await db.migrate(folder)).applied).toEqual(names);
    expect((await db.migrate(folder)).known).toEqual(names);
  });

  it('runs what wants no transaction one statement after the other, and all of it again after a failure', async (context) => {
    const own = stageOf(context).closing(connectPostgres(server.url, { migrationsTable: 'one_by_one' }));
    const up = `-- no transaction
      DROP INDEX CONCURRENTLY IF EXISTS by_name;
      CREATE TABLE IF NOT EXISTS names (name text); -- a; b
      CREATE INDEX CONCURRENTLY by_name ON names (name);
      CREATE INDEX CONCURRENTLY by_length ON names (length(name));`;
    await own.query('CREATE TABLE by_length ()');
    const migrations = [{ name: '1', up, transaction: false }];
    expect((await errorOf(own.migrate(migrations))).message).toContain('"by_length" already exists');
    await own.query('DROP TABLE by_length');
    expect((await own.migrate(migrations)).applied).toEqual(['1']);
    const { rows } = await own.query("SELECT indexname FROM pg_indexes WHERE tablename = 'names' ORDER BY 1");
    expect(rows).toEqual([{ indexname: 'by_length' }, { indexname: 'by_name' }]);
  });

  it('wants no right to make tables where all of them are there', async (context) => {
    const own = await stageOf(context).postgres();
    const owner = stageOf(context).closing(connectPostgres(own.url));
    const migrations = [{ name: '1', up: 'CREATE TABLE films (title text)' }];
    await owner.query('CREATE ROLE app LOGIN');
    const app = stageOf(context).closing(connectPostgres(own.url.replace('postgres@', 'app@')));
    const error = await errorOf(app.migrate(migrations));
    expect(error).toBeInstanceOf(MigrationError);
    expect(error.message).toContain('cannot be made: permission denied for schema public');

    await owner.migrate(migrations);
    await owner.query('GRANT SELECT ON signalbox_migrations TO app');
    expect(await app.migrate(migrations)).toEqual({ applied: [], known: ['1'], unknown: [] });
  });

  it('refuses a folder that is missing or has nothing to apply', async () => {
    expect(await errorOf(db.migrate(new URL('file:///nowhere/')))).toBeInstanceOf(MigrationError);
    const empty = await errorOf(db.migrate(folderOf({})));
    expect(empty.message).toContain('there is no .sql file in');
  });

  it('is done once by two databases that start at once, also around an index that is built concurrently', async (context) => {
    const stage = stageOf(context);
    const settings = { migrationsTable: 'twice' };
    const pair = [1, 2].map(() => stage.closing(connectPostgres(server.url, settings)));
    const list = [
      { name: '1', up: 'CREATE TABLE once (id int); SELECT pg_sleep(0.2)' },
      { name: '2', up: 'CREATE INDEX CONCURRENTLY ON once (id)', transaction: false },
      { name: '3', up: 'INSERT INTO once VALUES (1)' },
    ];
    const reports = await Promise.all(pair.map((each) => each.migrate(list)));
    expect(reports.flatMap(({ applied }) => applied)).toEqual(['1', '2', '3']);
    expect((await db.query('SELECT * FROM once')).rows).toEqual([{ id: 1 }]);
  });

  it('waits for another only for so long', async (context) => {
    const stage = stageOf(context);
    const other = stage.closing(connectPostgres(server.url, { migrationsTable: 'slow' }));
    const slow = stage.closing(connectPostgres(server.url, { migrationsTable: 'slow' }));
    const migrating = slow.migrate([{ name: 'slow', up: "SELECT pg_sleep(1), 'a slow one'" }]);
    await until(async () => {
      const { rows } = await db.query(
        "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%a slow one%' AND pid <> pg_backend_pid()",
      );
      return rows.length > 0;
    });
    const error = await errorOf(other.migrate([], { waitMs: 100 }));
    expect(error.message).toBe('migrate: another process has been migrating for more than 100 ms');
    await migrating;
    expect((await other.migrate([])).unknown).toEqual(['slow']);
  });

  it('may take longer than a statement may', async (context) => {
    const quick = stageOf(context).closing(
      connectPostgres(server.url, { statementTimeoutMs: 100, migrationsTable: 'long' }),
    );
    expect((await quick.migrate([{ name: 'long', up: 'SELECT pg_sleep(0.3)' }])).applied).toEqual(['long']);
    expect(await errorOf(quick.query('SELECT pg_sleep(0.3)'))).toMatchObject({ code: '57014' });
  });

  it('leaves the lock to others when its process dies', async (context) => {
    const stage = stageOf(context);
    const dying = stage.closing(connectPostgres(server.url, { migrationsTable: 'dying' }));
    const error = await errorOf(
      dying.migrate([{ name: 'dies', up: 'SELECT pg_terminate_backend(pg_backend_pid())' }]),
    );
    expect(error).toMatchObject({ code: 'postgres_unavailable' });
    expect((await dying.migrate([{ name: 'lives', up: 'SELECT 1' }], { waitMs: 2_000 })).applied).toEqual([
      'lives',
    ]);
  });
});
