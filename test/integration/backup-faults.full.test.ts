import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { config } from '@signalbox/config';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { s3Store } from '../../examples/orchestrator/deploy/backup/src/s3-store.js';
import { BACKUP_SETTINGS } from '../../examples/orchestrator/deploy/backup/src/settings.js';
import { startFaultProxy } from '../support/fault-proxy.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { waitUntil } from '../support/program.js';
import { BACKUP_SECRET, backupStage, startS3, type BackupStage, type S3Server } from './backup-stage.js';

const PASSWORD = 'a-password-of-postgres';
const MEGABYTE = 1024 * 1024;

let postgres: PostgresServer;
let s3: S3Server;
let stage: BackupStage;
/** With a password, which the server does not ask for. */
let url: string;

beforeAll(async () => {
  postgres = await startPostgres();
  url = postgres.url.replace('postgres@', `postgres:${PASSWORD}@`);
  await ask('CREATE TABLE notes (id serial PRIMARY KEY, note text)');
  await ask(`INSERT INTO notes (note) SELECT 'note ' || n FROM generate_series(1, 500) AS n`);
  // Does not compress: 12 MB stay more than two parts.
  await ask(`CREATE TABLE noise AS SELECT n, decode(string_agg(md5(random()::text), ''), 'hex') AS bytes
    FROM generate_series(1, 1500) AS n, generate_series(1, 512) AS m GROUP BY n`);
}, 60_000);
afterAll(() => postgres.stop());
beforeEach(async () => {
  s3 = await startS3();
  stage = await backupStage({ DATABASE_URL: url, BACKUP_S3_ENDPOINT: s3.url, BACKUP_PART_SIZE: '5mb' });
});
afterEach(async () => {
  stage.remove();
  await s3.stop();
});

async function ask(text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

describe('a backup', () => {
  it('for which there is no room says so, leaves nothing, and leaves the earlier ones alone', async () => {
    expect((await stage.run(['backup'])).code).toBe(0);
    const [before] = await stage.names();
    const program = await stage.start(['backup'], {}, 1024);
    expect((await program.exited).code).toBe(1);
    expect(program.output()).toContain('there is no room left');
    expect(stage.outbox()).toEqual([]);
    expect(await stage.names()).toEqual([before]);
    expect(stage.metrics()).toMatchObject({
      'last_run_success{kind="postgres"}': 0,
      'stored{kind="postgres"}': 1,
    });
    expect((await stage.run(['drill'])).code).toBe(0);
  }, 60_000);

  it('that is being made keeps a second one from being made, which says so with a status of its own', async () => {
    const first = await stage.start(['backup']);
    expect(await waitUntil(() => Promise.resolve(stage.outbox().length > 0), 20_000)).toBe(true);
    const second = await stage.run(['backup']);
    expect(second.code).toBe(75);
    expect(second.output).toContain('another backup is running');
    expect((await first.exited).code).toBe(0);
    expect(await stage.names()).toHaveLength(1);
  }, 60_000);

  it('that was killed half-way is no obstacle to the next one, and is swept away by it', async () => {
    const killed = await stage.start(['backup']);
    expect(await waitUntil(() => Promise.resolve(stage.outbox().length > 0), 20_000)).toBe(true);
    await killed.kill();
    expect(stage.outbox().every((file) => file.endsWith('.part'))).toBe(true);
    expect(await stage.names()).toEqual([]);
    // Had it been killed a moment later, before it was known what is in it.
    writeFileSync(join(stage.folder, 'outbox', 'postgres-2026-01-02T03-04-05-006Z-abcdef.dump.gz.enc'), 'x');
    expect((await stage.run(['backup'])).code).toBe(0);
    expect(stage.outbox()).toEqual([]);
  }, 60_000);

  it('that is stopped tidies up, says by what, and is a failure', async () => {
    const stopped = await stage.start(['backup']);
    expect(await waitUntil(() => Promise.resolve(stage.outbox().length > 0), 20_000)).toBe(true);
    stopped.signal('SIGTERM');
    expect((await stopped.exited).code).toBe(1);
    expect(stopped.output()).toContain('stopped by SIGTERM');
    expect(stage.outbox()).toEqual([]);
  }, 60_000);

  it('shows no secret to other processes, in what it says, or in what it leaves', async () => {
    const { output, commands } = await stage.watched(['backup']);
    const drilled = await stage.run(['drill']);
    expect(commands).toContain('pg_dump');
    const left = ['state/postgres-backup.json', 'metrics/signalbox_backup.prom'].map((file) =>
      readFileSync(join(stage.folder, file), 'utf8'),
    );
    const manifest = readFileSync(s3.files().find((file) => file.includes('.json')) ?? '', 'utf8');
    for (const text of [commands, output, drilled.output, manifest, ...left]) {
      expect(text).not.toContain(PASSWORD);
      expect(text).not.toContain(BACKUP_SECRET);
    }
    // Nor does the manifest, which is not encrypted as a whole, tell what there is.
    expect(manifest).not.toContain('notes');
  }, 60_000);

  it('is of one moment while others write', async () => {
    const over = new AbortController();
    const writing = (async () => {
      while (!over.signal.aborted)
        await ask(`INSERT INTO notes (note) VALUES ('late'); DELETE FROM notes WHERE id % 97 = 3`);
    })();
    const made = await stage.run(['backup']);
    over.abort();
    await writing;
    expect(made.code).toBe(0);
    expect(await stage.run(['drill'])).toMatchObject({ code: 0 });
  }, 60_000);
});

describe('the store', () => {
  it('that breaks off an upload is sent the rest by the next run, not all of it again', async () => {
    const proxy = await startFaultProxy({ to: s3.port });
    const env = { BACKUP_S3_ENDPOINT: `http://127.0.0.1:${proxy.port}` };
    try {
      await proxy.throttle(4 * MEGABYTE);
      const broken = await stage.start(['backup'], env);
      const notes = (): string | undefined => stage.outbox().find((file) => file.endsWith('.upload.json'));
      expect(await waitUntil(() => Promise.resolve(notes() !== undefined), 30_000)).toBe(true);
      await proxy.refuse();
      await proxy.reset();
      await proxy.refuse();
      expect((await broken.exited).code).toBe(1);
      expect(broken.output()).toMatch(/the store did not take PUT postgres-\S+ in 2 tries: .*it is kept in/);
      // Nothing half-done is to be seen in the store.
      expect(await stage.names()).toEqual([]);
      expect(s3.files().some((file) => file.endsWith('enc._S3rver_object'))).toBe(false);

      const { uploadId, parts } = JSON.parse(
        readFileSync(join(stage.folder, 'outbox', notes() ?? ''), 'utf8'),
      ) as { uploadId: string; parts: string[] };
      expect(uploadId).not.toBe('');
      await proxy.pass();
      proxy.resetCounts();
      const left = stage.outbox().find((file) => file.endsWith('.enc')) ?? '';
      const size = readFileSync(join(stage.folder, 'outbox', left)).length;
      expect(size).toBeGreaterThan(2 * 5 * MEGABYTE);
      const resumed = await stage.run(['backup'], env);
      expect(resumed).toMatchObject({ code: 0 });
      // The rest of the first, and all of the second.
      expect(proxy.counts.bytesUp).toBeLessThan(2 * size - parts.length * 5 * MEGABYTE + MEGABYTE);
      expect(await stage.names()).toHaveLength(2);
      expect(stage.outbox()).toEqual([]);
      for (const name of await stage.names()) expect((await stage.run(['drill', name])).code).toBe(0);
    } finally {
      await proxy.stop();
    }
  }, 120_000);

  it('that does not know the credentials is not asked twice, and nothing is lost', async () => {
    const refused = await stage.run(['backup'], { BACKUP_S3_SECRET_ACCESS_KEY: 'not the right one at all' });
    expect(refused.code).toBe(1);
    expect(refused.output).toMatch(
      /the store refused .*SignatureDoesNotMatch \(403\); see BACKUP_S3_ACCESS_KEY_ID/,
    );
    expect(refused.output).not.toContain('not the right one at all');
    expect(stage.outbox()).toHaveLength(2);
    expect(stage.metrics()['last_success_timestamp_seconds']).toBeUndefined();

    expect((await stage.run(['backup'])).code).toBe(0);
    expect(stage.outbox()).toEqual([]);
    expect(await stage.names()).toHaveLength(2);
  }, 60_000);

  it('loses what is older than it has to be, and never the newest', async () => {
    for (let n = 0; n < 2; n += 1) expect((await stage.run(['backup'])).code).toBe(0);
    const [older, newer] = await stage.names();
    const third = await stage.run(['backup'], { BACKUP_KEEP: '1ms' });
    expect(third.output).toContain(`removed, being older than BACKUP_KEEP: ${older}, ${newer}`);
    expect(await stage.names()).toHaveLength(1);
    expect(s3.files()).toHaveLength(2);
    expect((await stage.run(['drill'])).code).toBe(0);
  }, 60_000);
});

describe('a stored backup', () => {
  it('that is cut short is found out before anything is made of it', async () => {
    expect((await stage.run(['backup'])).code).toBe(0);
    const file = s3.files().find((each) => each.includes('.enc')) ?? '';
    truncateSync(file, MEGABYTE);
    for (const command of ['verify', 'drill']) {
      const found = await stage.run([command]);
      expect(found.code).toBe(1);
      expect(found.output).toMatch(/is damaged: it has 1048576 bytes instead of \d+/);
    }
  }, 60_000);

  it('is opened by any secret that is given, and by no other', async () => {
    expect((await stage.run(['backup'])).code).toBe(0);
    const wrong = 'another secret of backups: 1b2c3d4e5f60718293';
    const refused = await stage.run(['drill'], { BACKUP_KEYS: wrong });
    expect(refused.code).toBe(1);
    expect(refused.output).toMatch(
      /was encrypted with a secret \(id [0-9a-f]{16}\) that is not among BACKUP_KEYS/,
    );
    expect((await stage.run(['drill'], { BACKUP_KEYS: `${wrong},${BACKUP_SECRET}` })).code).toBe(0);
  }, 60_000);

  it('may be left unencrypted, for pg_restore and gunzip alone', async () => {
    const plain = { BACKUP_ENCRYPT: 'off', BACKUP_KEYS: undefined };
    expect((await stage.run(['backup'], plain)).code).toBe(0);
    expect((await stage.run(['drill'], plain)).code).toBe(0);
    const file = s3.files().find((each) => each.includes('.dump.gz')) ?? '';
    expect(readFileSync(file).readUInt16BE(0)).toBe(0x1f8b);
    // Who can write to the store can make one, too.
    const refused = await stage.run(['drill']);
    expect(refused.code).toBe(1);
    expect(refused.output).toMatch(/postgres-\S+ is not encrypted: .* With BACKUP_ENCRYPT=off it is taken/);
  }, 60_000);

  it('is nowhere but where its name says', async () => {
    expect((await stage.run(['backup'])).code).toBe(0);
    const file = s3.files().find((each) => each.includes('.json')) ?? '';
    const manifest = readFileSync(file, 'utf8');
    // The copy that is fetched would lie, and be removed, outside of the folder for copies.
    writeFileSync(file, manifest.replace(/"object":"[^"]*"/, '"object":"../../../backup-victim"'));
    const victim = join(stage.folder, '..', 'backup-victim');
    writeFileSync(victim, 'of somebody else');
    onTestFinished(() => rmSync(victim, { force: true }));
    const found = await stage.run(['verify']);
    expect(found.code).toBe(1);
    expect(found.output).toMatch(/the manifest of postgres-\S+ is damaged/);
    expect(readFileSync(victim, 'utf8')).toBe('of somebody else');
  }, 60_000);
});

it('a drill drops the databases of drills that were killed, and leaves those that may be running', async () => {
  const recent = new Date().toISOString().replaceAll(/\D/g, '').slice(0, 14);
  const [dead, alive] = ['signalbox_drill_20200102030405_abcd', `signalbox_drill_${recent}_abcd`];
  for (const name of [dead, alive]) await ask(`CREATE DATABASE ${name}`);
  expect((await stage.run(['backup'])).code).toBe(0);
  expect((await stage.run(['drill'])).code).toBe(0);
  expect(await ask(`SELECT datname FROM pg_database WHERE datname LIKE 'signalbox_drill%'`)).toEqual([
    { datname: alive },
  ]);
}, 60_000);

it.each([
  [['backup'], { BACKUP_KEYS: undefined }, 78, 'BACKUP_KEYS: must be set where BACKUP_ENCRYPT is on'],
  [['backup'], { DATABASE_URL: undefined }, 78, 'there would be nothing to back up'],
  [['backup'], { BACKUP_PART_SIZE: '1mb' }, 78, 'must be at least 5mb'],
  [['back'], {}, 64, '"back" is no command'],
  [['drill', 'yesterday'], {}, 64, '"yesterday" is no name of a backup'],
  [['restore', 'redis'], {}, 64, 'restore redis needs --to FILE'],
  [['restore', 'postgres', '--to', 'app.dump'], {}, 64, '--to FILE is for Redis'],
  [['drill'], {}, 1, 'there is no backup of postgres in the store'],
  [['backup'], { DATABASE_URL: 'postgres://u@127.0.0.1:1/d' }, 1, 'the backup of postgres failed'],
  [
    ['backup'],
    { DATABASE_URL: 'postgres://u@127.0.0.1/d?password=x' },
    78,
    'DATABASE_URL must have its password before the @',
  ],
  [['backup'], { PATH: '/usr/bin/nothing' }, 1, 'flock is not on the PATH'],
])(
  '%j with %j ends with status %i and says why',
  async (args, env, status, words) => {
    const { code, output } = await stage.run(args, env);
    expect(output).toContain(words);
    expect(code).toBe(status);
  },
  30_000,
);

it('what the store lists in several answers is all found', async () => {
  const settings = config(BACKUP_SETTINGS, { env: stage.env, warn: () => {} });
  const store = s3Store(settings, new AbortController().signal);
  const keys = Array.from({ length: 1_100 }, (_each, n) => `some/${n}`);
  for (let from = 0; from < keys.length; from += 20) {
    await Promise.all(keys.slice(from, from + 20).map((key) => store.putText(key, key)));
  }
  expect((await store.list()).map(({ key }) => key).toSorted()).toEqual(keys.toSorted());
  expect(await store.getText('some/7')).toBe('some/7');
  expect(await store.getText('none')).toBeUndefined();
  await store.remove('none');
}, 60_000);
