import { mkdir, readFile, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeText } from './files.js';
import { KINDS, type Kind } from './manifest.js';
import type { BackupSettings } from './settings.js';

/** What is known of the backups of one kind. Times are in seconds since 1970, as Prometheus has them. */
export interface BackupState {
  /** Whether the last run went well. */
  readonly isOk: boolean;
  readonly takenAt?: number | undefined;
  /** What would have been lost, in seconds, had the disaster come just before the last backup was complete. */
  readonly rpoSeconds?: number | undefined;
  readonly durationSeconds?: number | undefined;
  readonly bytes?: number | undefined;
  /** How many are in the store. */
  readonly stored?: number | undefined;
}

export interface DrillState {
  readonly isOk: boolean;
  readonly succeededAt?: number | undefined;
  /** How long it took from nothing to a restored and compared copy, in seconds. */
  readonly rtoSeconds?: number | undefined;
}

interface States {
  backup: BackupState;
  drill: DrillState;
}

const fileOf = (folder: string, kind: Kind, what: keyof States): string =>
  join(folder, 'state', `${kind}-${what}.json`);

export async function readState<What extends keyof States>(
  folder: string,
  kind: Kind,
  what: What,
): Promise<States[What] | undefined> {
  try {
    return JSON.parse(await readFile(fileOf(folder, kind, what), 'utf8')) as States[What];
  } catch {
    // There was none yet; or it cannot be read, and the next run writes it anew.
    return undefined;
  }
}

/** Adds to what is known. */
export async function noteState<What extends keyof States>(
  folder: string,
  kind: Kind,
  what: What,
  state: States[What],
): Promise<void> {
  const known = { ...(await readState(folder, kind, what)), ...state };
  await writeText(fileOf(folder, kind, what), JSON.stringify(known));
}

/** What is backed up here. */
export function kindsOf({ DATABASE_URL, REDIS_URL }: BackupSettings): Kind[] {
  return KINDS.filter((kind) => (kind === 'postgres' ? DATABASE_URL : REDIS_URL) !== undefined);
}

/** Writes the metrics, and the file whose time says since when all is backed up. */
export async function publishState(settings: BackupSettings): Promise<void> {
  const folder = settings.BACKUP_DIR;
  const kinds = kindsOf(settings);
  const backups = await Promise.all(kinds.map((kind) => readState(folder, kind, 'backup')));
  const drills = await Promise.all(kinds.map((kind) => readState(folder, kind, 'drill')));

  // As old as the oldest: the alert must not be quiet because one of two is well.
  const taken = backups.map((backup) => backup?.takenAt);
  const oldest = taken.every((at) => at !== undefined) ? Math.min(...taken) : undefined;

  const of = <State>(states: (State | undefined)[], value: (state: State) => number | undefined): Sample[] =>
    states.flatMap((state, index) => {
      const found = state === undefined ? undefined : value(state);
      return found === undefined ? [] : [{ kind: kinds[index], value: found }];
    });
  const text = [
    metric(
      'last_success_timestamp_seconds',
      'When the oldest of the newest backups of each kind was taken',
      oldest === undefined ? [] : [{ value: oldest }],
    ),
    metric(
      'taken_timestamp_seconds',
      'The moment that the newest backup leads back to',
      of(backups, (s) => s.takenAt),
    ),
    metric(
      'last_run_success',
      'Whether the last run made and stored a backup',
      of(backups, (s) => Number(s.isOk)),
    ),
    metric(
      'rpo_seconds',
      'The most that could have been lost before the last backup',
      of(backups, (s) => s.rpoSeconds),
    ),
    metric(
      'duration_seconds',
      'How long the last backup took',
      of(backups, (s) => s.durationSeconds),
    ),
    metric(
      'size_bytes',
      'Size of the last backup as it is stored',
      of(backups, (s) => s.bytes),
    ),
    metric(
      'stored',
      'Backups in the store',
      of(backups, (s) => s.stored),
    ),
    metric(
      'drill_last_run_success',
      'Whether the last drill proved a backup',
      of(drills, (s) => Number(s.isOk)),
    ),
    metric(
      'drill_last_success_timestamp_seconds',
      'When a drill last proved a backup',
      of(drills, (s) => s.succeededAt),
    ),
    metric(
      'rto_seconds',
      'How long the last drill took to fetch, restore and compare',
      of(drills, (s) => s.rtoSeconds),
    ),
  ].join('');

  const metrics = settings.BACKUP_METRICS_FILE ?? join(folder, 'metrics', 'signalbox_backup.prom');
  await mkdir(dirname(metrics), { recursive: true });
  // The collector runs as somebody else; there is nothing secret in it.
  await writeText(metrics, text, 0o644);
  if (oldest === undefined) return;
  const success = settings.BACKUP_SUCCESS_FILE ?? join(folder, 'last-success');
  await writeText(success, `${new Date(oldest * 1_000).toISOString()}\n`, 0o644);
  await utimes(success, oldest, oldest);
}

interface Sample {
  readonly kind?: Kind | undefined;
  readonly value: number;
}

function metric(name: string, help: string, samples: readonly Sample[]): string {
  if (samples.length === 0) return '';
  const full = `signalbox_backup_${name}`;
  const lines = samples.map(({ kind, value }) => {
    return `${full}${kind === undefined ? '' : `{kind="${kind}"}`} ${value}\n`;
  });
  return `# HELP ${full} ${help}\n# TYPE ${full} gauge\n${lines.join('')}`;
}
