import { open, stat } from 'node:fs/promises';
import { BackupError } from './failure.js';
import { readPiece } from './files.js';
import { createS3Request, drain, field, StoreError, type S3Request } from './s3-request.js';
import { sendInParts } from './s3-parts.js';
import type { BackupSettings } from './settings.js';

export interface StoredObject {
  readonly key: string;
  readonly bytes: number;
}

/** Where backups are kept. An object is there whole or not at all. */
export interface BackupStore {
  /** Stores a file; goes on where an earlier attempt at the same file broke off. */
  putFile(key: string, file: string): Promise<void>;
  putText(key: string, text: string): Promise<void>;
  /** Fetches an object into a new file. */
  getFile(key: string, file: string): Promise<void>;
  /** The text of an object; `undefined` where there is none. */
  getText(key: string): Promise<string | undefined>;
  list(): Promise<StoredObject[]>;
  /** Resolves where there is no such object, too. */
  remove(key: string): Promise<void>;
}

/** A bucket of an S3-compatible store. */
export function s3Store(settings: BackupSettings, signal: AbortSignal): BackupStore {
  const request = createS3Request(settings, signal);
  const partBytes = settings.BACKUP_PART_SIZE;

  return {
    async putFile(key, file) {
      const { size } = await stat(file);
      if (size > partBytes) await sendInParts(request, { key, file, size, partBytes });
      else await request({ method: 'PUT', key, body: await readPiece(file, 0, size) }, drain);
      const stored = await sizeOf(request, key);
      if (stored !== size)
        throw new BackupError(`the store has ${stored} bytes of ${key} instead of ${size}`);
    },
    putText: (key, text) => request({ method: 'PUT', key, body: Buffer.from(text) }, drain),
    async getFile(key, file) {
      const size = await sizeOf(request, key);
      const handle = await open(file, 'wx', 0o600);
      try {
        for (let from = 0; from < size; from += partBytes) {
          const range = [from, Math.min(from + partBytes, size) - 1] as const;
          await handle.write(await getPiece(request, key, range), 0, undefined, from);
        }
      } finally {
        await handle.close();
      }
    },
    async getText(key) {
      try {
        return await request({ method: 'GET', key }, (response) => response.text());
      } catch (error) {
        if (error instanceof StoreError && error.status === 404) return undefined;
        throw error;
      }
    },
    list: () => listAll(request, settings.BACKUP_S3_PREFIX),
    remove: (key) => request({ method: 'DELETE', key }, drain),
  };
}

function sizeOf(request: S3Request, key: string): Promise<number> {
  return request({ method: 'HEAD', key }, async (response) => Number(response.headers.get('content-length')));
}

/** A connection that breaks costs a piece, not all of a large file. */
function getPiece(request: S3Request, key: string, range: readonly [number, number]): Promise<Buffer> {
  const bytes = range[1] - range[0] + 1;
  return request({ method: 'GET', key, range }, async (response) => {
    const piece = Buffer.from(await response.arrayBuffer());
    if (piece.length !== bytes) {
      throw new BackupError(`the store gave ${piece.length} bytes of ${key} instead of ${bytes}`);
    }
    return piece;
  });
}

async function listAll(request: S3Request, prefix: string): Promise<StoredObject[]> {
  const found: StoredObject[] = [];
  let token: string | undefined;
  do {
    const next = token === undefined ? {} : { 'continuation-token': token };
    const page = await request({ method: 'GET', query: { 'list-type': '2', prefix, ...next } }, (response) =>
      response.text(),
    );
    for (const [, entry = ''] of page.matchAll(/<Contents>(.*?)<\/Contents>/gs)) {
      const key = field(entry, 'Key') ?? '';
      if (key.startsWith(prefix)) {
        found.push({ key: key.slice(prefix.length), bytes: Number(field(entry, 'Size')) });
      }
    }
    token = field(page, 'IsTruncated') === 'true' ? field(page, 'NextContinuationToken') : undefined;
  } while (token !== undefined);
  return found;
}
