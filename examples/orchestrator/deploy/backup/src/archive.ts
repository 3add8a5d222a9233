import { createHash, type Hash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { PassThrough, Transform, Writable, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { decrypt, encrypt } from './cipher.js';
import { BackupError, sentenceOf } from './failure.js';

/** How long something is, and its SHA-256. */
export interface Checksum {
  readonly bytes: number;
  readonly sha256: string;
}

/** What an archive is made of and checked against. */
export interface ArchiveSums {
  /** Of the file as it is stored. */
  readonly stored: Checksum;
  /** Of what is in it. */
  readonly content: Checksum;
}

export interface Keys {
  /** The secret for what is written; `undefined`: it is not encrypted. */
  readonly write: string | undefined;
  /** All secrets that may open what is read. */
  readonly read: readonly string[];
}

/** Writes what it is given to a file, compressed and, with a secret, encrypted. */
export async function writeArchive(
  source: Readable,
  file: string,
  { name, key, signal }: { name: string; key: string | undefined; signal?: AbortSignal | undefined },
): Promise<ArchiveSums> {
  const content = summing();
  const stored = summing();
  await pipeline(
    source,
    content.stream,
    createGzip(),
    key === undefined ? new PassThrough() : encrypt(key, name),
    stored.stream,
    createWriteStream(file, { flags: 'wx', mode: 0o600 }),
    { signal },
  );
  return { stored: stored.sum(), content: content.sum() };
}

export interface ArchiveToRead {
  readonly name: string;
  readonly isEncrypted: boolean;
  readonly sums: ArchiveSums;
}

/**
 * Reads a whole archive and compares it with its checksums, before anything is made of it.
 *
 * @throws {BackupError} that says whether it is cut short, changed, or made with another secret
 */
export async function checkArchive(file: string, archive: ArchiveToRead, keys: Keys): Promise<void> {
  const { name, sums } = archive;
  const stored = summing();
  await pipeline(createReadStream(file), stored.stream, nowhere());
  const { bytes, sha256 } = stored.sum();
  if (bytes !== sums.stored.bytes) {
    throw new BackupError(`${name} is damaged: it has ${bytes} bytes instead of ${sums.stored.bytes}`);
  }
  if (sha256 !== sums.stored.sha256) throw new BackupError(`${name} is damaged: its checksum is another`);

  const content = summing();
  await readArchive(file, archive, keys, content.stream, nowhere());
  if (content.sum().sha256 !== sums.content.sha256) {
    throw new BackupError(`${name} is damaged: what is in it has another checksum`);
  }
}

/** Passes what is in an archive on; `checkArchive` comes first. */
export async function readArchive(
  file: string,
  { name, isEncrypted }: ArchiveToRead,
  keys: Keys,
  ...into: [Writable] | [Transform, Writable]
): Promise<void> {
  const source = createReadStream(file);
  const plain = isEncrypted ? decrypt(keys.read, name) : new PassThrough();
  try {
    if (into.length === 1) await pipeline(source, plain, createGunzip(), into[0]);
    else await pipeline(source, plain, createGunzip(), into[0], into[1]);
  } catch (error) {
    throw error instanceof BackupError
      ? error
      : new BackupError(`${name} could not be read: ${sentenceOf(error)}`, { cause: error });
  }
}

/** Counts and hashes what flows through it. */
function summing(): { stream: Transform; sum: () => Checksum } {
  const hash: Hash = createHash('sha256');
  let bytes = 0;
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      bytes += chunk.length;
      done(null, chunk);
    },
  });
  return { stream, sum: () => ({ bytes, sha256: hash.digest('hex') }) };
}

function nowhere(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}
