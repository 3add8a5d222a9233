import { stat } from 'node:fs/promises';
import { refuseUnknownOptions, requireFunction, requireMilliseconds, requireText } from '@signalbox/options';
import { makeRule, TIMING, type AlertRule, type Timing } from '../rule.js';

export interface BackupAgeOptions extends Timing {
  /**
   * When the last backup that is worth something was made: a date, or milliseconds since 1970; `undefined` when there is
   * none. Either this or `file`.
   */
  last?: (() => LastBackup | Promise<LastBackup>) | undefined;
  /** A file that is written when a backup has succeeded: its time counts. */
  file?: string | undefined;
  /**
   * @default 93_600_000 (26 hours)
   */
  maxAgeMs?: number | undefined;
  /**
   * How often it is looked at, in milliseconds.
   * @default 60_000
   */
  everyMs?: number | undefined;
  /**
   * The gauge of the same, in seconds since 1970, for Prometheus.
   * @default 'signalbox_backup_last_success_timestamp_seconds'
   */
  metric?: string | undefined;
}

/** A date, or milliseconds since 1970; `undefined` where there is none. */
export type LastBackup = Date | number | undefined;

const HOUR_MS = 3_600_000;

/**
 * The last backup is too old, or there is none.
 *
 * @throws {TypeError} when an option is wrong
 */
export function backupAge(options: BackupAgeOptions): AlertRule {
  refuseUnknownOptions('backupAge', options, [...TIMING, 'last', 'file', 'maxAgeMs', 'everyMs', 'metric']);
  const { last, file, maxAgeMs = 26 * HOUR_MS, everyMs = 60_000 } = options;
  const { severity = 'critical', forMs, quietMs } = options;
  const { metric = 'signalbox_backup_last_success_timestamp_seconds' } = options;
  if ((last === undefined) === (file === undefined)) {
    throw new TypeError('backupAge: give either "last" or "file"');
  }
  if (last !== undefined) requireFunction('backupAge', 'last', last);
  if (file !== undefined) requireText('backupAge', 'file', file);
  requireMilliseconds('backupAge', 'maxAgeMs', maxAgeMs);
  requireMilliseconds('backupAge', 'everyMs', everyMs);
  requireText('backupAge', 'metric', metric);

  return makeRule('backupAge', {
    name: 'backup-age',
    severity,
    forMs,
    quietMs,
    isShared: true,
    prometheus: [
      {
        expression: (of) => {
          const newest = `max(${of(metric)})`;
          return `time() - ${newest} > ${maxAgeMs / 1_000} or absent(${of(metric)})`;
        },
        summary: 'The last backup is too old, or there is none',
      },
    ],
    watch({ every, holds, gone, now }) {
      every(everyMs, async () => {
        const madeMs = Number((await (last === undefined ? timeOf(file ?? '') : last())) ?? Number.NaN);
        const ageMs = now() - madeMs;
        if (ageMs <= maxAgeMs) return gone('backup');
        const age = Number.isFinite(ageMs) ? [`it is ${Math.floor(ageMs / HOUR_MS)} hours old`] : [];
        const title = age.length > 0 ? 'The last backup is too old' : 'There is no backup';
        holds('backup', { title, details: age });
      });
      return undefined;
    },
  });
}

/** When the file was written; `undefined` where there is none. */
async function timeOf(file: string): Promise<Date | undefined> {
  try {
    return (await stat(file)).mtime;
  } catch (error) {
    if (Reflect.get(Object(error), 'code') === 'ENOENT') return undefined;
    throw error;
  }
}
