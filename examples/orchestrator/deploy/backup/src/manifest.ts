import { randomBytes } from 'node:crypto';
import type { ArchiveSums, ArchiveToRead, Keys } from './archive.js';
import { decryptText, encryptText } from './cipher.js';
import { BackupError } from './failure.js';

export type Kind = 'postgres' | 'redis';
export const KINDS: readonly Kind[] = ['postgres', 'redis'];

/** What is known of a backup. It is stored after the backup itself: with it, a backup is complete. */
export interface Manifest {
  readonly format: 1;
  readonly kind: Kind;
  readonly name: string;
  /** The object that it is about. */
  readonly object: string;
  /** The moment that a restore leads back to, and when the backup was made and checked; ISO 8601. */
  readonly takenAt: string;
  readonly madeAt: string;
  /** What made it, and what it is of, with versions. */
  readonly tool: string;
  readonly server: string;
  readonly isEncrypted: boolean;
  readonly sums: ArchiveSums;
  /** What has to be there after a restore: JSON, encrypted like the backup, since it tells of what is in there. */
  readonly fingerprint: string;
}

const NAME = /^(postgres|redis)-(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d)-(\d{3})Z-[0-9a-f]{6}$/;
const MANIFEST_END = '.json';

/** `postgres-2026-02-03T04-05-06-789Z-a1b2c3`: in the order of time, and no two alike. */
export function nameOf(kind: Kind, at: Date): string {
  return `${kind}-${at.toISOString().replaceAll(/[:.]/g, '-')}-${randomBytes(3).toString('hex')}`;
}

export function isName(text: string): boolean {
  return NAME.test(text);
}

/** When a backup was taken, by its name; `undefined` where it is none of ours. */
export function timeOf(name: string): Date | undefined {
  const [, , day, hours, minutes, seconds, ms] = NAME.exec(name) ?? [];
  return day === undefined ? undefined : new Date(`${day}T${hours}:${minutes}:${seconds}.${ms}Z`);
}

export function kindOf(name: string): Kind {
  return name.startsWith('postgres-') ? 'postgres' : 'redis';
}

export function objectOf(name: string, isEncrypted: boolean): string {
  const content = kindOf(name) === 'postgres' ? 'dump' : 'rdb';
  return `${name}.${content}.gz${isEncrypted ? '.enc' : ''}`;
}

export const manifestOf = (name: string): string => name + MANIFEST_END;

/** The name of the backup that a manifest is about; `undefined` where the object is something else. */
export function nameOfManifest(key: string): string | undefined {
  const name = key.endsWith(MANIFEST_END) ? key.slice(0, -MANIFEST_END.length) : '';
  return isName(name) ? name : undefined;
}

/** @throws {BackupError} where it is not the manifest of that backup */
export function parseManifest(name: string, text: string): Manifest {
  try {
    const manifest = JSON.parse(text) as Manifest;
    const { format, kind, object, isEncrypted } = manifest;
    const isOfName =
      manifest.name === name && kind === kindOf(name) && object === objectOf(name, isEncrypted);
    if (format === 1 && isOfName) return manifest;
  } catch {
    // Said below.
  }
  throw new BackupError(`the manifest of ${name} is damaged`);
}

/** What stands in a manifest for what has to be there after a restore. */
export function sealFingerprint(fingerprint: object, name: string, { write }: Keys): string {
  const text = JSON.stringify(fingerprint);
  return write === undefined ? text : encryptText(text, write, name);
}

/** @throws {BackupError} where the secret is missing */
export function openFingerprint({ fingerprint, name, isEncrypted }: Manifest, { read }: Keys): unknown {
  return JSON.parse(isEncrypted ? decryptText(fingerprint, read, name) : fingerprint);
}

export function archiveOf({ name, isEncrypted, sums }: Manifest): ArchiveToRead {
  return { name, isEncrypted, sums };
}
