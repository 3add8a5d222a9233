import { copyFileSync, existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { temporaryFolder } from '../support/keeper.js';
import { waitUntil } from '../support/program.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { backupStage, startS3, type BackupStage, type S3Server } from './backup-stage.js';

const PASSWORD = 'a-password-of-redis';

let redis: RedisServer;
let s3: S3Server;
let stage: BackupStage;

beforeEach(async () => {
  [redis, s3] = await Promise.all([
    startRedis({ password: PASSWORD, args: ['--enable-debug-command', 'local'] }),
    startS3(),
  ]);
  const url = `redis://:${PASSWORD}@127.0.0.1:${redis.port}`;
  stage = await backupStage({ REDIS_URL: url, BACKUP_S3_ENDPOINT: s3.url });
  await fill();
}, 60_000);
afterEach(async () => {
  stage.remove();
  await s3.stop();
  await redis.stop();
});

/** Keys of every type, in two databases, of which some stay, some expire in hours, and one in a moment. */
async function fill(): Promise<void> {
  await redis.command(
    'EVAL',
    `for n = 1, 2000 do redis.call('SET', 'key:' .. n, n, 'EX', 3600 + 10 * n) end`,
    '0',
  );
  await redis.command('HSET', 'a hash', 'one', '1', 'two', '2');
  await redis.command('RPUSH', 'a list', 'one', 'two');
  await redis.command('SADD', 'a set', ...Array.from({ length: 300 }, (_each, n) => `member ${n}`));
  await redis.command('ZADD', 'a sorted set', '1', 'one', '2.5', 'two');
  await redis.command('XADD', 'a stream', '1-1', 'field', 'value');
  await redis.command('SET', 'Zo\u00eb', 'text');
  await redis.command('-n', '3', 'SET', 'elsewhere', 'too');
}

const backedUp = async (): Promise<void> => {
  const { code, output } = await stage.run(['backup']);
  expect({ code, output }).toMatchObject({ code: 0 });
};

it('backs Redis up, proves the backup by a drill, and restores it into a file that a Redis starts with', async () => {
  const { output, commands } = await stage.watched(['backup']);
  expect(output).toContain('is stored');
  expect(commands).toContain('redis-cli');
  expect(commands + output).not.toContain(PASSWORD);
  const drilled = await stage.run(['drill']);
  expect(drilled.code).toBe(0);
  expect(drilled.output).toContain('a new Redis has its 2007 keys; 2007 have not expired, and are the same');
  expect(stage.metrics()).toMatchObject({
    'drill_last_run_success{kind="redis"}': 1,
    'stored{kind="redis"}': 1,
  });
  expect(drilled.output).not.toContain(PASSWORD);
  // Nothing is left of it.
  expect(readdirSync(join(stage.folder, 'inbox'))).toEqual([]);

  const digest = await redis.command('DEBUG', 'DIGEST');
  const folder = temporaryFolder('redis-restored');
  const file = join(folder.path, 'dump.rdb');
  expect((await stage.run(['restore', 'redis', '--to', file])).code).toBe(0);
  const args = ['--dir', folder.path, '--dbfilename', 'dump.rdb', '--enable-debug-command', 'local'];
  const restored = await startRedis({ args });
  expect(await restored.command('DEBUG', 'DIGEST')).toBe(digest);
  expect(await restored.command('GET', 'key:77')).toBe('77');
  await restored.stop();
  folder.remove();
}, 60_000);

it('compares what has not expired since', async () => {
  await redis.command('SET', 'short', 'lived', 'PX', '15000');
  await backedUp();
  expect(await waitUntil(async () => (await redis.command('EXISTS', 'short')) === '0', 30_000)).toBe(true);
  const { code, output } = await stage.run(['drill']);
  expect(code).toBe(0);
  // Those of the hour that has begun cannot be told apart from those that are over.
  expect(output).toMatch(/has its 2008 keys; 20\d\d have not expired/);
}, 60_000);

it('writes over no file unless told, and then keeps what was there', async () => {
  await backedUp();
  const folder = temporaryFolder('redis-restored');
  const file = join(folder.path, 'dump.rdb');
  writeFileSync(file, 'precious');
  const refused = await stage.run(['restore', 'redis', '--to', file]);
  expect(refused.code).toBe(1);
  expect(refused.output).toContain(`${file} is there already; nothing was changed`);
  expect(readFileSync(file, 'utf8')).toBe('precious');

  const wrong = await stage.run(['restore', 'redis', '--replace', '--to', folder.path]);
  expect(wrong.code).toBe(1);
  expect(wrong.output).toContain(`${folder.path} is a folder; --to names the file in it, such as ${file}`);
  expect(readFileSync(file, 'utf8')).toBe('precious');

  expect((await stage.run(['restore', 'redis', '--replace', '--to', file])).code).toBe(0);
  const [before = ''] = readdirSync(folder.path).filter((name) => name.includes('.before-'));
  expect(readFileSync(join(folder.path, before), 'utf8')).toBe('precious');
  expect(readFileSync(file).toString('latin1', 0, 5)).toBe('REDIS');
  folder.remove();
}, 60_000);

it('is refused where the snapshot is cut short or another', async () => {
  await backedUp();
  const stored = s3.files().find((each) => each.includes('.enc')) ?? '';
  const whole = `${stored}.whole`;
  copyFileSync(stored, whole);
  truncateSync(stored, 1_000);
  const short = await stage.run(['drill']);
  expect(short.code).toBe(1);
  expect(short.output).toMatch(/is damaged: it has 1000 bytes instead of \d+/);

  const bytes = readFileSync(whole);
  bytes.writeUInt8(bytes.readUInt8(2_000) ^ 1, 2_000);
  writeFileSync(stored, bytes);
  const flipped = await stage.run(['drill']);
  expect(flipped.code).toBe(1);
  expect(flipped.output).toContain('its checksum is another');
}, 60_000);

it('that is dead, or does not let us in, fails the backup and leaves the last one as the last', async () => {
  await backedUp();
  const { last_success_timestamp_seconds: last } = stage.metrics();
  const wrong = await stage.run(['backup'], { REDIS_URL: `redis://:wrong-password@127.0.0.1:${redis.port}` });
  expect(wrong.code).toBe(1);
  expect(wrong.output).toMatch(/the backup of redis failed: .*(NOAUTH|WRONGPASS)/s);
  await redis.kill();
  const dead = await stage.run(['backup']);
  expect(dead.code).toBe(1);
  expect(dead.output).toMatch(
    /the backup of redis failed: redis-cli ended with status 1: .*Connection refused/s,
  );
  expect(stage.outbox()).toEqual([]);
  expect(stage.metrics()).toMatchObject({
    'last_run_success{kind="redis"}': 0,
    'stored{kind="redis"}': 1,
    last_success_timestamp_seconds: last,
  });
  expect(existsSync(join(stage.folder, 'last-success'))).toBe(true);
}, 60_000);

it('for which there is no room says so and leaves nothing', async () => {
  const program = await stage.start(['backup'], {}, 8);
  expect((await program.exited).code).toBe(1);
  expect(program.output()).toMatch(/the backup of redis failed/);
  expect(stage.outbox()).toEqual([]);
}, 60_000);
