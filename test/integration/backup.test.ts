import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { backupStage, startS3, type BackupStage, type S3Server } from './backup-stage.js';

let postgres: PostgresServer;
let s3: S3Server;
let stage: BackupStage;

beforeAll(async () => {
  [postgres, s3] = await Promise.all([startPostgres(), startS3()]);
  stage = await backupStage({ DATABASE_URL: postgres.url, BACKUP_S3_ENDPOINT: s3.url });
  await ask(`CREATE TABLE users (id int PRIMARY KEY, email text UNIQUE);
    INSERT INTO users SELECT n, 'user' || n || '@example.test' FROM generate_series(1, 1000) AS n`);
}, 60_000);
afterAll(async () => {
  stage.remove();
  await s3.stop();
  await postgres.stop();
});

async function ask(text: string, url: string = postgres.url): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<Record<string, unknown>>(text);
    return rows;
  } finally {
    await client.end();
  }
}

it('backs a database up, proves the backup by a drill, and says both in metrics and in the file of the alert', async () => {
  const begin = Date.now() / 1_000;
  const made = await stage.run(['backup']);
  expect(made).toMatchObject({ code: 0, output: expect.stringMatching(/postgres-\S+ is stored/) as string });
  expect(stage.outbox()).toEqual([]);

  const proven = await stage.run(['drill']);
  expect(proven).toMatchObject({ code: 0, output: expect.stringContaining('is proven') as string });
  // The database of the drill is gone again.
  expect(await ask(`SELECT datname FROM pg_database WHERE datname LIKE 'signalbox_drill%'`)).toEqual([]);

  const metrics = stage.metrics();
  expect(metrics).toMatchObject({
    'last_run_success{kind="postgres"}': 1,
    'stored{kind="postgres"}': 1,
    'drill_last_run_success{kind="postgres"}': 1,
  });
  expect(metrics['last_success_timestamp_seconds']).toBeGreaterThanOrEqual(Math.floor(begin));
  expect(metrics['rto_seconds{kind="postgres"}']).toBeGreaterThan(0);
  expect(metrics['rpo_seconds{kind="postgres"}']).toBeGreaterThan(0);
  const { mtimeMs } = statSync(join(stage.folder, 'last-success'));
  expect(Math.abs(mtimeMs / 1_000 - (metrics['last_success_timestamp_seconds'] ?? 0))).toBeLessThan(1);
  // What is stored tells nothing.
  expect(s3.files().some((file) => readFileSync(file).includes('example.test'))).toBe(false);
}, 60_000);

it('refuses a backup of which one byte is another, and a database that is not empty', async () => {
  const occupied = await stage.run(['restore', 'postgres']);
  expect(occupied.code).toBe(1);
  expect(occupied.output).toContain('the database postgres is not empty; nothing was changed');

  const file = s3.files().find((each) => each.includes('.dump.gz.enc')) ?? '';
  const bytes = readFileSync(file);
  bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
  writeFileSync(file, bytes);
  const damaged = await stage.run(['drill']);
  expect(damaged.code).toBe(1);
  expect(damaged.output).toContain('is damaged: its checksum is another');
  expect(stage.metrics()).toMatchObject({ 'drill_last_run_success{kind="postgres"}': 0 });
}, 60_000);
