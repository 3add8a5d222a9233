import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectPostgres } from '@signalbox/postgres';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  databaseDifferences,
  fingerprintOf,
  hashObjects,
} from '../../examples/orchestrator/deploy/backup/src/postgres-fingerprint.js';
import { startOrchestrator } from '../support/orchestrator.js';
import { accountOf, signInOf } from '../support/identity.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { requireProgram } from '../support/system-packages.js';
import { startProgram } from '../support/program.js';
import { backupStage, startS3, type BackupStage, type S3Server } from './backup-stage.js';

const deployed = new URL('../../examples/orchestrator/deploy/backup/', import.meta.url);

let postgres: PostgresServer;
let s3: S3Server;
let stage: BackupStage;

beforeAll(async () => {
  [postgres, s3] = await Promise.all([startPostgres(), startS3()]);
  stage = await backupStage({ DATABASE_URL: urlOf('app'), BACKUP_S3_ENDPOINT: s3.url });
  // The tests fingerprint too, with the pg_dump of the same server.
  process.env['PATH'] = stage.env['PATH'];
  await ask('postgres', 'CREATE DATABASE app');
}, 60_000);
afterAll(async () => {
  stage.remove();
  await s3.stop();
  await postgres.stop();
});

function urlOf(database: string): string {
  return postgres.url.replace(/postgres$/, database);
}

async function ask(database: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: urlOf(database) });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

const EVERYTHING = `
  CREATE SCHEMA "Other";
  CREATE TYPE mood AS ENUM ('calm', 'alarmed');
  CREATE TABLE people (id bigserial PRIMARY KEY, name text NOT NULL, mood mood, at timestamptz DEFAULT now(),
    picture bytea, tags text[], facts jsonb, ratio double precision, half text GENERATED ALWAYS AS (left(name, 2)) STORED);
  CREATE INDEX people_name ON people (lower(name));
  CREATE TABLE "Other"."odd ""name" (a int, dropped int, people bigint REFERENCES people);
  ALTER TABLE "Other"."odd ""name" DROP COLUMN dropped;
  CREATE TABLE parted (day date, n int) PARTITION BY RANGE (day);
  CREATE TABLE parted_2026 PARTITION OF parted FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
  CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT n * 2';
  CREATE MATERIALIZED VIEW moods AS SELECT mood, count(*) FROM people GROUP BY mood;
  INSERT INTO people (name, mood, picture, tags, facts, ratio)
    SELECT E'Zo\\u00eb\\n' || n, 'calm', decode(md5(n::text), 'hex'), ARRAY['a"b', NULL], '{"k": [1, null]}', n / 3.0
    FROM generate_series(1, 300) AS n;
  INSERT INTO "Other"."odd ""name" SELECT n, n FROM generate_series(1, 30) AS n;
  INSERT INTO parted SELECT date '2026-01-01' + n, n FROM generate_series(1, 30) AS n;
  REFRESH MATERIALIZED VIEW moods`;

describe('restoring Postgres', () => {
  it('brings every kind of thing back into an empty database, by the newest backup or one that is named', async () => {
    await ask('app', EVERYTHING);
    expect((await stage.run(['backup'])).code).toBe(0);
    const [first = ''] = await stage.names();
    await ask('app', `INSERT INTO people (name) VALUES ('late')`);
    expect((await stage.run(['backup'])).code).toBe(0);
    await ask('postgres', 'CREATE DATABASE empty');
    await ask('postgres', 'CREATE DATABASE empty2');

    const newest = await stage.run(['restore', 'postgres'], { RESTORE_DATABASE_URL: urlOf('empty') });
    expect(newest).toMatchObject({
      code: 0,
      output: expect.stringContaining('is restored into empty') as string,
    });
    expect(await ask('empty', 'SELECT count(*)::int AS n FROM people')).toEqual([{ n: 301 }]);
    expect(
      databaseDifferences(await fingerprintOf(urlOf('app')), await fingerprintOf(urlOf('empty'))),
    ).toEqual([]);

    const named = await stage.run(['restore', 'postgres', first], { RESTORE_DATABASE_URL: urlOf('empty2') });
    expect(named.code).toBe(0);
    expect(await ask('empty2', 'SELECT count(*)::int AS n FROM people')).toEqual([{ n: 300 }]);
  }, 60_000);

  it('touches no database that has something in it, unless told; then what was there is kept', async () => {
    await ask('app', `DELETE FROM people WHERE name = 'late'; UPDATE people SET name = 'ruined'`);
    const refused = await stage.run(['restore', 'postgres']);
    expect(refused.code).toBe(1);
    expect(refused.output).toContain('the database app is not empty; nothing was changed');

    // Somebody is connected all the while.
    const other = new pg.Client({ connectionString: urlOf('app') });
    other.on('error', () => undefined);
    await other.connect();
    const replaced = await stage.run(['restore', 'postgres', '--replace']);
    await other.end().catch(() => undefined);
    expect(replaced.code).toBe(0);
    expect(await ask('app', `SELECT count(*)::int AS n FROM people WHERE name = 'ruined'`)).toEqual([
      { n: 0 },
    ]);
    const before = /is kept in (\S+);/.exec(replaced.output)?.[1] ?? '';
    expect(await ask(before, `SELECT count(*)::int AS n FROM people WHERE name = 'ruined'`)).toEqual([
      { n: 300 },
    ]);
  }, 60_000);

  it('leaves nothing when it fails half-way', async () => {
    await ask('postgres', 'CREATE DATABASE guarded');
    await ask(
      'guarded',
      `CREATE TABLE things (id int); INSERT INTO things VALUES (1);
      CREATE FUNCTION guard() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
      CREATE EVENT TRIGGER guard ON sql_drop EXECUTE FUNCTION guard()`,
    );
    expect((await stage.run(['backup'], { DATABASE_URL: urlOf('guarded') })).code).toBe(0);
    // Who may make everything in the backup but the last thing.
    await ask('postgres', 'CREATE ROLE plain LOGIN');
    await ask('postgres', 'CREATE DATABASE half OWNER plain');
    const url = urlOf('half').replace('postgres@', 'plain@');
    const failed = await stage.run(['restore', 'postgres'], { RESTORE_DATABASE_URL: url });
    expect(failed.code).toBe(1);
    expect(failed.output).toMatch(
      /pg_restore ended with status 1: .*permission denied to create event trigger/s,
    );
    const left = `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace`;
    expect(await ask('half', left)).toEqual([]);
  }, 60_000);

  it('brings the accounts of the orchestrator back', async () => {
    await ask('postgres', 'CREATE DATABASE accounts');
    await ask('postgres', 'CREATE DATABASE accounts_restored');
    const running = await startOrchestrator({ DATABASE_URL: urlOf('accounts') });
    const { email, password } = await accountOf(running.url);
    await running.program.stop();
    const env = { DATABASE_URL: urlOf('accounts'), RESTORE_DATABASE_URL: urlOf('accounts_restored') };
    expect((await stage.run(['backup'], env)).code).toBe(0);
    expect((await stage.run(['restore', 'postgres'], env)).code).toBe(0);

    const restored = await startOrchestrator({ DATABASE_URL: urlOf('accounts_restored') });
    await expect(signInOf(restored.url, { email, password })).resolves.toMatchObject({ email });
    await restored.program.stop();
  }, 60_000);

  it('a role that only reads, as the README makes it, can back up and drill', async () => {
    const readme = readFileSync(new URL('README.md', deployed), 'utf8');
    const [, statements = ''] = /```sql\n(.*?)```/s.exec(readme) ?? [];
    await ask('postgres', statements);
    const url = urlOf('app').replace('postgres@', 'signalbox_backup:secret@');
    expect((await stage.run(['backup'], { DATABASE_URL: url })).code).toBe(0);
    expect(await stage.run(['drill'], { DATABASE_URL: url })).toMatchObject({ code: 0 });
  }, 60_000);
});

describe('what two databases are compared by', () => {
  it('names a row that changed, went, or came, a table, an index, a function and a sequence', async () => {
    await ask('postgres', 'CREATE DATABASE one');
    await ask(
      'one',
      `CREATE TABLE kept (id serial, v text); CREATE TABLE gone (v int);
      INSERT INTO kept (v) VALUES ('a'), ('b'); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
    );
    const wanted = await fingerprintOf(urlOf('one'));
    const after = async (change: string): Promise<string[]> => {
      await ask('one', change);
      return databaseDifferences(wanted, await fingerprintOf(urlOf('one')));
    };
    expect(await after(`UPDATE kept SET v = 'b' WHERE v = 'b'`)).toEqual([]);
    expect(await after(`UPDATE kept SET v = 'c' WHERE v = 'b'`)).toEqual([
      'the table public.kept has other content',
    ]);
    expect(await after(`UPDATE kept SET v = 'b' WHERE v = 'c'; INSERT INTO kept (v) VALUES ('d')`)).toEqual([
      'the table public.kept has 3 rows instead of 2',
    ]);
    expect(
      await after(`DELETE FROM kept WHERE v = 'd'; DROP TABLE gone; CREATE INDEX extra ON kept (v);
        CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 2'; SELECT setval('kept_id_seq', 1)`),
    ).toEqual([
      'the table public.gone is missing',
      'FUNCTION public.f() is another',
      'INDEX public.extra should not be there',
      'TABLE public.gone is missing',
      'the sequence public.kept_id_seq is at 1 instead of 2',
    ]);
  }, 60_000);

  it('does not change with the comments, or the random word, of another pg_dump', () => {
    const script = (word: string): string =>
      `-- Dumped by ${word}\n\\restrict ${word}\n-- Name: t; Type: TABLE; Schema: public; Owner: ${word}\n--\n\nCREATE TABLE t ();\n\\unrestrict ${word}\n`;
    expect(hashObjects(script('one'))).toEqual(hashObjects(script('two')));
    expect(Object.keys(hashObjects(script('one')))).toEqual(['TABLE public.t']);
  });
});

describe('a migration that fails half-way', () => {
  const first = {
    name: '0001-notes',
    up: 'CREATE TABLE notes (id int PRIMARY KEY); INSERT INTO notes VALUES (1), (2)',
  };
  const steps = 'ALTER TABLE notes ADD COLUMN text text; UPDATE notes SET text = id::text;';

  it('leaves the database as it was, and the corrected one goes on from there', async () => {
    await ask('postgres', 'CREATE DATABASE migrated');
    const database = connectPostgres(urlOf('migrated'));
    try {
      await database.migrate([first]);
      const before = await fingerprintOf(urlOf('migrated'));
      expect((await stage.run(['backup'], { DATABASE_URL: urlOf('migrated') })).code).toBe(0);

      const wrong = { name: '0002-text', up: `${steps} ALTER TABLE notes ADD CHECK (text <> '2')` };
      await expect(database.migrate([first, wrong])).rejects.toThrow('migrate: "0002-text" failed');
      expect(databaseDifferences(before, await fingerprintOf(urlOf('migrated')))).toEqual([]);

      const right = { name: '0002-text', up: `${steps} ALTER TABLE notes ADD CHECK (text <> '3')` };
      expect(await database.migrate([first, right])).toMatchObject({ applied: ['0002-text'] });
    } finally {
      await database.close();
    }
  }, 60_000);

  it('and is not transactional is undone by the backup from before it', async () => {
    const database = connectPostgres(urlOf('migrated'));
    const wrong = {
      name: '0003-half',
      transaction: false,
      up: async (tx: { query(text: string): Promise<unknown> }) => {
        await tx.query('DELETE FROM notes');
        await tx.query('SELECT nonsense');
      },
    };
    const steps2 = { name: '0002-text', up: `${steps} ALTER TABLE notes ADD CHECK (text <> '3')` };
    await expect(database.migrate([first, steps2, wrong])).rejects.toThrow('"0003-half" failed');
    await database.close();
    expect(await ask('migrated', 'SELECT id FROM notes')).toEqual([]);
    const restored = await stage.run(['restore', 'postgres', '--replace'], {
      DATABASE_URL: urlOf('migrated'),
    });
    expect(restored.code).toBe(0);
    expect(await ask('migrated', 'SELECT id FROM notes ORDER BY id')).toEqual([{ id: 1 }, { id: 2 }]);
  }, 60_000);
});

it('the metrics are in the format of Prometheus, with the gauge that the alert of the backups reads', async () => {
  const promtool = await requireProgram('promtool');
  const metrics = join(stage.folder, 'metrics/signalbox_backup.prom');
  const text = readFileSync(metrics, 'utf8');
  expect(text).toMatch(/^signalbox_backup_last_success_timestamp_seconds [\d.e+]+$/m);
  const input = join(stage.folder, 'metrics-input');
  writeFileSync(input, text);
  const checked = await startProgram('sh', ['-c', `"${promtool}" check metrics < "${input}"`], {
    name: 'promtool',
  });
  expect({ ...(await checked.exited), said: checked.output() }).toMatchObject({ code: 0, said: '' });
});
