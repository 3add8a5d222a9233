import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import { describeConfig } from '@signalbox/config';
import { expect, it } from 'vitest';
import { BACKUP_SETTINGS } from '../../examples/orchestrator/deploy/backup/src/settings.js';
import { temporaryFolder } from '../support/keeper.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { startRedis } from '../support/redis.js';
import { startProgram } from '../support/program.js';
import { backupStage, startS3, type BackupStage } from './backup-stage.js';

const orchestrator = fileURLToPath(new URL('../../examples/orchestrator/', import.meta.url));
const folder = join(orchestrator, 'deploy/backup');
const read = (file: string): string => readFileSync(join(folder, file), 'utf8');
const settings = describeConfig(BACKUP_SETTINGS);

it('the README has every setting, with its default and its meaning', () => {
  const readme = read('README.md');
  for (const { name, description } of settings) {
    expect(readme).toMatch(new RegExp(`^\\| \`${name}\` \\| .+ \\| `, 'm'));
    expect(readme).toContain(` | ${description} |`);
  }
});

it('the example of the settings has no name that is not one, and all that need a value', () => {
  const names = settings.map(({ name }) => name);
  const text = read('backup.env.example');
  const given = Object.keys(parseEnv(text));
  const proposed = Object.keys(parseEnv(text.replaceAll(/^# (?=[A-Z0-9_]+=)/gm, '')));
  const base = proposed.map((name) => name.replace(/_FILE$/, ''));
  expect(base.filter((name) => !names.includes(name))).toEqual([]);
  for (const name of ['BACKUP_S3_ENDPOINT', 'BACKUP_S3_BUCKET', 'BACKUP_S3_ACCESS_KEY_ID', 'DATABASE_URL']) {
    expect(given).toContain(name);
  }
  // The unit, cron and a hand have no other place to find them.
  for (const name of ['BACKUP_S3_SECRET_ACCESS_KEY', 'BACKUP_KEYS']) {
    const file = parseEnv(text)[`${name}_FILE`];
    expect(file).toBeDefined();
    expect(read('README.md')).toContain(` /dev/null ${file}\n`);
  }
});

it('systemd takes the units, without a word', async () => {
  const units = temporaryFolder('units');
  cpSync(join(folder, 'systemd'), units.path, { recursive: true });
  const files = readdirSync(units.path).map((file) =>
    join(units.path, file.replace('@.service', '@backup.service')),
  );
  // Its node, wherever that is, and a folder that is there.
  const template = join(units.path, 'signalbox-backup@.service');
  writeFileSync(template, readFileSync(template, 'utf8').replace('/usr/bin/node', process.execPath));
  const verify = await startProgram('systemd-analyze', [
    'verify',
    '--man=no',
    '--recursive-errors=no',
    ...files,
  ]);
  expect({ ...(await verify.exited), said: verify.output() }).toMatchObject({ code: 0, said: '' });

  const security = await startProgram('systemd-analyze', [
    'security',
    '--offline=true',
    '--threshold=20',
    '--no-pager',
    join(units.path, 'signalbox-backup@backup.service'),
  ]);
  expect((await security.exited).code, security.output()).toBe(0);
  units.remove();
}, 30_000);

it('the lines of cron back up and drill', async () => {
  const [postgres, s3] = await Promise.all([startPostgres(), startS3()]);
  const stage = await backupStage({ DATABASE_URL: postgres.url, BACKUP_S3_ENDPOINT: s3.url });
  const file = join(stage.folder, 'backup.env');
  const lines = Object.entries(stage.env).filter(([name]) => name !== 'PATH');
  writeFileSync(file, lines.map(([name, value]) => `${name}="${value}"\n`).join(''));
  try {
    const commands = [...read('cron/signalbox-backup').matchAll(/^[\d*]+ [\d*]+ \* \* [\d*] (\S+) (.+)$/gm)];
    expect(commands.map(([, user]) => user)).toEqual(['signalbox-backup', 'signalbox-backup']);
    for (const [, , command = ''] of commands) {
      const here = command
        .replace('/opt/signalbox/examples/orchestrator', orchestrator)
        .replace('/etc/signalbox-backup/backup.env', file);
      const run = await startProgram('sh', ['-c', here], { env: { PATH: stage.env['PATH'] } });
      expect({ ...(await run.exited), stdout: run.stdout() }).toMatchObject({ code: 0, stdout: '' });
    }
    expect(stage.metrics()).toMatchObject({ 'drill_last_run_success{kind="postgres"}': 1 });
  } finally {
    stage.remove();
    await s3.stop();
    await postgres.stop();
  }
}, 60_000);

/** Runs the commands of a document as they stand there, with another place for what they would write to. */
async function runCommandsOf(
  document: string,
  stage: BackupStage,
  postgres: PostgresServer,
): Promise<number> {
  const blocks = [...document.matchAll(/```sh\n(.*?)```/gs)].map(([, block = '']) => block);
  const commands = blocks.flatMap((block) =>
    [...block.matchAll(/^\$backup (.*?)(?: +#.*)?$/gm)].map(([, line]) => line ?? ''),
  );
  let databases = 0;
  const file = join(stage.folder, `${document.length}.rdb`);
  let url = '';
  for (const command of commands) {
    const [name = ''] = await stage.names();
    const args = command
      .replace(/postgres-2026-\S+/, name)
      .replace('/var/lib/signalbox-backup/dump.rdb', file)
      .split(' ');
    if (command === 'restore postgres') {
      databases += 1;
      url = `${postgres.url.replace(/postgres$/, '')}${document.length}_${databases}`;
      const create = [
        '-h',
        '127.0.0.1',
        '-p',
        String(postgres.port),
        '-U',
        'postgres',
        url.split('/').at(-1) ?? '',
      ];
      await (await startProgram('createdb', create, { env: { PATH: stage.env['PATH'] } })).exited;
    }
    expect(await stage.run(args, url === '' ? {} : { RESTORE_DATABASE_URL: url }), command).toMatchObject({
      code: 0,
    });
  }
  return commands.length;
}

it('the commands of the README and of the guide do what they say', async () => {
  const [postgres, redis, s3] = await Promise.all([startPostgres(), startRedis(), startS3()]);
  const stage = await backupStage({
    DATABASE_URL: postgres.url,
    REDIS_URL: redis.url,
    BACKUP_S3_ENDPOINT: s3.url,
  });
  try {
    expect(await runCommandsOf(read('README.md'), stage, postgres)).toBe(7);
    expect(await runCommandsOf(read('../../../../docs/guide/backup.md'), stage, postgres)).toBe(7);
  } finally {
    stage.remove();
    await s3.stop();
    await redis.stop();
    await postgres.stop();
  }
}, 120_000);
