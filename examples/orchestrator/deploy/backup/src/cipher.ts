import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { Transform, type TransformCallback } from 'node:stream';
import { BackupError } from './failure.js';

/*
 * AES-256-GCM. An encrypted backup is: "SBX1", the id of the secret (8 bytes), a salt (16), what is encrypted, the
 * tag (16). Each backup has a key of its own, derived from the secret and the salt. The tag also covers the header
 * and the name of the backup, so that one cannot pass for another.
 */
const MAGIC = Buffer.from('SBX1');
const ID_BYTES = 8;
const SALT_BYTES = 16;
const TAG_BYTES = 16;
const HEADER_BYTES = MAGIC.length + ID_BYTES + SALT_BYTES;

/** What tells a secret from others, and tells nothing else about it. */
function idOf(secret: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', 'signalbox:backup:id', ID_BYTES));
}

function keyOf(secret: string, salt: Buffer): { key: Buffer; iv: Buffer } {
  const bytes = Buffer.from(hkdfSync('sha256', secret, salt, 'signalbox:backup:key', 32 + 12));
  return { key: bytes.subarray(0, 32), iv: bytes.subarray(32) };
}

/** Encrypts a text, as `encrypt` does. */
export function encryptText(text: string, secret: string, name: string): string {
  const header = Buffer.concat([MAGIC, idOf(secret), randomBytes(SALT_BYTES)]);
  const cipher = cipherOf(secret, header, name);
  return Buffer.concat([header, cipher.update(text), cipher.final(), cipher.getAuthTag()]).toString('base64');
}

/** @throws {BackupError} where it is none of these secrets, or the text is not what was encrypted */
export function decryptText(text: string, secrets: readonly string[], name: string): string {
  const bytes = Buffer.from(text, 'base64');
  const decipher = open(secrets, bytes.subarray(0, HEADER_BYTES), name);
  try {
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    return (
      decipher.update(bytes.subarray(HEADER_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
    );
  } catch {
    throw new BackupError(`the manifest of ${name} is not what was encrypted`);
  }
}

/** Encrypts what flows through it. */
export function encrypt(secret: string, name: string): Transform {
  const header = Buffer.concat([MAGIC, idOf(secret), randomBytes(SALT_BYTES)]);
  const cipher = cipherOf(secret, header, name);
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      done(null, cipher.update(chunk));
    },
    flush(done) {
      this.push(cipher.final());
      done(null, cipher.getAuthTag());
    },
  });
  stream.push(header);
  return stream;
}

/**
 * Decrypts what flows through it. What comes out is to be believed when the stream has ended without an error, not
 * before: the tag is at the end.
 */
export function decrypt(secrets: readonly string[], name: string): Transform {
  let held: Buffer = Buffer.alloc(0);
  let decipher: ReturnType<typeof open> | undefined;

  return new Transform({
    transform: guarded((chunk, done) => {
      held = Buffer.concat([held, chunk]);
      if (decipher === undefined) {
        if (held.length < HEADER_BYTES) return done();
        decipher = open(secrets, held.subarray(0, HEADER_BYTES), name);
        held = held.subarray(HEADER_BYTES);
      }
      // The last bytes are the tag, and which are the last is known at the end.
      if (held.length <= TAG_BYTES) return done();
      const ready = held.subarray(0, -TAG_BYTES);
      held = held.subarray(-TAG_BYTES);
      done(null, decipher.update(ready));
    }),
    flush(done) {
      try {
        if (decipher === undefined || held.length < TAG_BYTES)
          throw new BackupError('the backup is cut short');
        decipher.setAuthTag(held);
        done(null, decipher.final());
      } catch (error) {
        done(error instanceof BackupError ? error : new BackupError('the backup is not what was encrypted'));
      }
    },
  });
}

function cipherOf(secret: string, header: Buffer, name: string) {
  const { key, iv } = keyOf(secret, header.subarray(-SALT_BYTES));
  return createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.concat([header, Buffer.from(name)]));
}

function open(secrets: readonly string[], header: Buffer, name: string) {
  if (!header.subarray(0, MAGIC.length).equals(MAGIC))
    throw new BackupError('this is not an encrypted backup');
  const id = header.subarray(MAGIC.length, MAGIC.length + ID_BYTES);
  const secret = secrets.find((each) => idOf(each).equals(id));
  if (secret === undefined) {
    throw new BackupError(
      `${name} was encrypted with a secret (id ${id.toString('hex')}) that is not among BACKUP_KEYS`,
    );
  }
  const { key, iv } = keyOf(secret, header.subarray(-SALT_BYTES));
  return createDecipheriv('aes-256-gcm', key, iv).setAAD(Buffer.concat([header, Buffer.from(name)]));
}

/** What is thrown in a transform would end the process. */
function guarded(transform: (chunk: Buffer, done: TransformCallback) => void) {
  return (chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void => {
    try {
      transform(chunk, done);
    } catch (error) {
      done(error instanceof Error ? error : new BackupError(String(error)));
    }
  };
}
