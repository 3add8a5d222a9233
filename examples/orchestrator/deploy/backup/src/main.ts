import { parseArgs } from 'node:util';
import { backUp } from './backup.js';
import { BackupError, BusyError, sentenceOf } from './failure.js';
import { listBackups, readManifest } from './fetch.js';
import { createJob, type Job } from './job.js';
import { alone } from './lock.js';
import { kindOf, isName, KINDS, type Kind } from './manifest.js';
import { drill, restorePostgres, restoreRedis, verify } from './restore.js';
import { readSettings } from './settings.js';
import { kindsOf, publishState } from './state.js';

const USAGE = `Usage: signalbox-backup COMMAND

  backup                         back up, store, and remove what is too old
  drill [NAME]                   prove backups by restoring them elsewhere and comparing
  list                           the backups in the store, the oldest first
  verify [NAME]                  fetch backups and check their checksums
  restore postgres [NAME]        restore into RESTORE_DATABASE_URL, or DATABASE_URL; it has to be empty
      --replace                  or else is replaced, and kept under another name
      --with-owners              restore owners and grants too
  restore redis [NAME] --to FILE write the dump.rdb that a stopped Redis is to start with

NAME is as list shows it; without it, the newest is taken. Settings come from the environment: see README.md.
`;

/** Of sysexits.h: wrong use; try again later. */
const STATUS = { ok: 0, failed: 1, usage: 64, busy: 75 } as const;

class UsageError extends Error {}

async function main(): Promise<number> {
  const { values, positionals } = readArguments();
  const [command = '', first, second] = positionals;
  if (values.help) {
    process.stdout.write(USAGE);
    return STATUS.ok;
  }
  const run = commandOf(command, [first, second], values);
  const settings = readSettings();
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () =>
      stop.abort(new BackupError(`stopped by ${signal}; nothing half-done is left`)),
    );
  }
  const job = await createJob(settings, stop.signal);
  try {
    const failures = await run(job);
    for (const failure of failures) complain(failure);
    return failures.length === 0 ? STATUS.ok : STATUS.failed;
  } catch (error) {
    // Whatever breaks when all is ended, this is why.
    throw stop.signal.aborted ? stop.signal.reason : error;
  }
}

type Values = ReturnType<typeof readArguments>['values'];
type Run = (job: Job) => Promise<readonly string[]>;

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        replace: { type: 'boolean', default: false },
        'with-owners': { type: 'boolean', default: false },
        to: { type: 'string' },
      },
    });
  } catch (error) {
    throw new UsageError(sentenceOf(error));
  }
}

function commandOf(command: string, [first, second]: (string | undefined)[], values: Values): Run {
  const name = command === 'restore' ? second : first;
  if (name !== undefined && !isName(name)) throw new UsageError(`"${name}" is no name of a backup`);
  switch (command) {
    case 'backup':
      return (job) => published(job, 'backup', () => backUp(job));
    case 'drill':
      return (job) => published(job, 'drill', () => drill(job, name));
    case 'list':
      return list;
    case 'verify':
      return async (job) => {
        const kinds = name === undefined ? kindsOf(job.settings) : [kindOf(name)];
        for (const kind of kinds) await verify(job, { kind, name });
        return [];
      };
    case 'restore':
      return restoreOf(first, name, values);
    default:
      throw new UsageError(command === '' ? 'a command is missing' : `"${command}" is no command`);
  }
}

function restoreOf(kind: string | undefined, name: string | undefined, values: Values): Run {
  if (!KINDS.includes(kind as Kind)) throw new UsageError('restore what: postgres or redis?');
  const options = { name, replace: values.replace, withOwners: values['with-owners'] };
  const { to } = values;
  if (kind === 'redis' && to === undefined) throw new UsageError('restore redis needs --to FILE');
  if (kind === 'postgres' && to !== undefined) {
    throw new UsageError('--to FILE is for Redis; Postgres is restored into RESTORE_DATABASE_URL');
  }
  return async (job) => {
    await alone(job.settings.BACKUP_DIR, 'restore', () =>
      to === undefined ? restorePostgres(job, options) : restoreRedis(job, to, options),
    );
    return [];
  };
}

/** One at a time; and whatever comes of it, the metrics say so. */
function published(job: Job, what: string, act: () => Promise<string[]>): Promise<string[]> {
  return alone(job.settings.BACKUP_DIR, what, async () => {
    try {
      return await act();
    } finally {
      await publishState(job.settings);
    }
  });
}

async function list(job: Job): Promise<readonly string[]> {
  for (const name of await listBackups(job)) {
    const { takenAt, sums, server } = await readManifest(job, name);
    job.say(`${name}  ${takenAt}  ${sums.stored.bytes} bytes  ${server}`);
  }
  return [];
}

function complain(sentence: string): void {
  process.stderr.write(`signalbox-backup: ${sentence}\n`);
}

function statusOf(error: unknown): number {
  complain(sentenceOf(error));
  if (!(error instanceof UsageError)) return error instanceof BusyError ? STATUS.busy : STATUS.failed;
  process.stderr.write(`\n${USAGE}`);
  return STATUS.usage;
}

process.exitCode = await main().catch(statusOf);
