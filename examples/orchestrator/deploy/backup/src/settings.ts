import {
  bytes,
  configOrExit,
  duration,
  flag,
  secret,
  secrets,
  text,
  url,
  type Config,
} from '@signalbox/config';
import { z } from 'zod';

/** S3 takes no smaller part, but for the last. */
const MIN_PART_BYTES = 5 * 1024 * 1024;

// The query of the URL stands among the arguments of pg_dump, where everybody on the machine can read it.
const postgresUrl = () =>
  url({ protocols: ['postgres', 'postgresql'] }).refine(
    (address) => !/[?&](ssl)?password=/.test(address),
    'must have its password before the @, not in its query',
  );

/** Everything that can be set, by the name of its environment variable. */
export const BACKUP_SETTINGS = z
  .object({
    DATABASE_URL: postgresUrl().optional().describe('Postgres to back up; the same as of the app'),
    REDIS_URL: url({ protocols: ['redis', 'rediss', 'unix'] })
      .optional()
      .describe('Redis to back up: one server, best a replica'),
    BACKUP_DIR: text()
      .default('/var/lib/signalbox-backup')
      .describe('Folder for backups on their way, and for what is known of the last ones'),
    BACKUP_S3_ENDPOINT: url({ protocols: ['https', 'http'] }).describe('Address of the S3-compatible store'),
    BACKUP_S3_BUCKET: text().describe('Bucket, which has to be there'),
    BACKUP_S3_PREFIX: text().default('signalbox/').describe('What the names of all objects begin with'),
    BACKUP_S3_REGION: text().default('us-east-1').describe('Region, as the store calls it'),
    BACKUP_S3_ACCESS_KEY_ID: text().describe('Name of the key that may list, read, write and delete there'),
    BACKUP_S3_SECRET_ACCESS_KEY: secret({ minBytes: 16 }).describe('The key'),
    BACKUP_S3_TRIES: z
      .number()
      .int()
      .min(1)
      .max(20)
      .default(5)
      .describe('How often a request to the store is tried, ever more slowly'),
    BACKUP_PART_SIZE: bytes()
      .refine((size) => size >= MIN_PART_BYTES, 'must be at least 5mb')
      .default(16 * 1024 * 1024)
      .describe('What is larger is sent in parts of this size'),
    BACKUP_ENCRYPT: flag()
      .default(true)
      .describe('Whether backups are encrypted before they leave the machine'),
    BACKUP_KEYS: secrets()
      .optional()
      .describe('Secrets to encrypt with, newest first; older ones still open older backups'),
    BACKUP_KEEP: duration()
      .default(30 * 24 * 3_600_000)
      .describe('How long a backup is kept; the newest of each kind is kept for ever'),
    BACKUP_METRICS_FILE: text()
      .optional()
      .describe('Metrics for the textfile collector; by default metrics/signalbox_backup.prom in BACKUP_DIR'),
    BACKUP_SUCCESS_FILE: text()
      .optional()
      .describe('File whose time says when all was last backed up; by default last-success in BACKUP_DIR'),
    DRILL_DATABASE_URL: postgresUrl()
      .optional()
      .describe('Server for drills, by a role that may create databases; by default DATABASE_URL'),
    RESTORE_DATABASE_URL: postgresUrl()
      .optional()
      .describe('Database to restore into; by default DATABASE_URL'),
  })
  .refine(({ BACKUP_ENCRYPT, BACKUP_KEYS }) => !BACKUP_ENCRYPT || BACKUP_KEYS !== undefined, {
    path: ['BACKUP_KEYS'],
    message: 'must be set where BACKUP_ENCRYPT is on',
  })
  .refine(({ DATABASE_URL, REDIS_URL }) => DATABASE_URL !== undefined || REDIS_URL !== undefined, {
    path: ['DATABASE_URL'],
    message: 'must be set, or REDIS_URL: there would be nothing to back up',
  });

export type BackupSettings = Config<typeof BACKUP_SETTINGS>;

/** The settings of this process; a wrong one ends it, with status 78 and every problem listed. */
export function readSettings(): BackupSettings {
  return configOrExit(BACKUP_SETTINGS, { warn: (message) => process.stderr.write(`${message}\n`) });
}
