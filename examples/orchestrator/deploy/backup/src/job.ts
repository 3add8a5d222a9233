import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Keys } from './archive.js';
import { s3Store, type BackupStore } from './s3-store.js';
import type { BackupSettings } from './settings.js';

/** What every command works with. */
export interface Job {
  readonly settings: BackupSettings;
  readonly store: BackupStore;
  readonly keys: Keys;
  /** Backups that were made and are not in the store yet. */
  readonly outbox: string;
  /** What is fetched, for as long as it is used. */
  readonly inbox: string;
  /** Ends all of it. */
  readonly signal: AbortSignal;
  /** Tells the operator what happens, a sentence a line. */
  readonly say: (sentence: string) => void;
}

export async function createJob(settings: BackupSettings, signal: AbortSignal): Promise<Job> {
  const { BACKUP_DIR, BACKUP_ENCRYPT, BACKUP_KEYS = [] } = settings;
  const [outbox, inbox] = [join(BACKUP_DIR, 'outbox'), join(BACKUP_DIR, 'inbox')];
  for (const folder of [outbox, inbox, join(BACKUP_DIR, 'state')]) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  }
  return {
    settings,
    store: s3Store(settings, signal),
    keys: { write: BACKUP_ENCRYPT ? BACKUP_KEYS[0] : undefined, read: BACKUP_KEYS },
    outbox,
    inbox,
    signal,
    say: (sentence) => process.stdout.write(`${sentence}\n`),
  };
}
