import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { AwsClient } from 'aws4fetch';
import { BackupError, sentenceOf } from './failure.js';
import type { BackupSettings } from './settings.js';

/** How long one request may take; it moves no more than a part of a large file. */
const REQUEST_TIMEOUT_MS = 300_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

/** The store said no; asking again changes nothing. */
export class StoreError extends BackupError {
  constructor(
    readonly status: number,
    /** S3's own word, such as `NoSuchKey`. */
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

export interface S3Call {
  method: 'GET' | 'PUT' | 'POST' | 'DELETE' | 'HEAD';
  /** Name of the object, without the prefix; none: the bucket. */
  key?: string | undefined;
  query?: Readonly<Record<string, string>> | undefined;
  body?: Buffer | undefined;
  /** The bytes that are wanted: the first, and the last. */
  range?: readonly [number, number] | undefined;
}

/** Sends one request and reads its answer with `read`. What may go well next time is tried again. */
export type S3Request = <T>(call: S3Call, read: (response: Response) => Promise<T>) => Promise<T>;

export function createS3Request(settings: BackupSettings, signal: AbortSignal): S3Request {
  const client = new AwsClient({
    accessKeyId: settings.BACKUP_S3_ACCESS_KEY_ID,
    secretAccessKey: settings.BACKUP_S3_SECRET_ACCESS_KEY,
    region: settings.BACKUP_S3_REGION,
    service: 's3',
    // Tries are counted here, where a connection that breaks counts too.
    retries: 0,
  });
  const bucket = `${settings.BACKUP_S3_ENDPOINT.replace(/\/$/, '')}/${settings.BACKUP_S3_BUCKET}`;
  const tries = settings.BACKUP_S3_TRIES;

  const once = async <T>(call: S3Call, read: (response: Response) => Promise<T>): Promise<T> => {
    const path = call.key === undefined ? '' : `/${encodeKey(settings.BACKUP_S3_PREFIX + call.key)}`;
    const query = call.query === undefined ? '' : `?${new URLSearchParams(call.query).toString()}`;
    const response = await client.fetch(`${bucket}${path}${query}`, {
      method: call.method,
      // The store refuses a body that is not the one that was signed.
      headers: {
        'x-amz-content-sha256': sha256(call.body),
        ...(call.range === undefined ? {} : { range: `bytes=${call.range.join('-')}` }),
      },
      ...(call.body === undefined ? {} : { body: new Uint8Array(call.body) }),
      signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]),
    });
    if (!response.ok) throw await refusalOf(call, response);
    return read(response);
  };

  return async (call, read) => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await once(call, read);
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof StoreError && !isPassing(error)) throw error;
        if (attempt >= tries) throw gaveUp(call, tries, error);
      }
      const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 1));
      await pause(longest * (0.5 + Math.random() / 2), undefined, { signal });
    }
  };
}

function sha256(body: Buffer | undefined): string {
  return createHash('sha256')
    .update(body ?? '')
    .digest('hex');
}

function encodeKey(key: string): string {
  return key.split('/').map(encodeURIComponent).join('/');
}

function isPassing({ status, code }: StoreError): boolean {
  return (
    status >= 500 || status === 429 || status === 408 || code === 'RequestTimeout' || code === 'SlowDown'
  );
}

async function refusalOf({ method, key }: S3Call, response: Response): Promise<StoreError> {
  // Its other fields, such as what it has signed, are nobody's business.
  const text = await response.text().catch(() => '');
  const code = /<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? String(response.status);
  const what = `${method} ${key ?? 'the bucket'}`;
  const hint =
    response.status === 403 || response.status === 401 ? '; see BACKUP_S3_ACCESS_KEY_ID and its secret' : '';
  return new StoreError(
    response.status,
    code,
    `the store refused ${what}: ${code} (${response.status})${hint}`,
  );
}

function gaveUp({ method, key }: S3Call, tries: number, error: unknown): BackupError {
  // fetch() hides the reason, such as ECONNREFUSED, in the cause.
  const cause: unknown = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const what = `${method} ${key ?? 'the bucket'}`;
  return new BackupError(`the store did not take ${what} in ${tries} tries: ${sentenceOf(cause)}`, {
    cause: error,
  });
}

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

/** The text of the first element of that name; the answers of S3 have no attributes and no nesting that matters here. */
export function field(xml: string, name: string): string | undefined {
  const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1];
  return text?.replaceAll(/&(lt|gt|amp|quot|apos);/g, (_all, entity: string) => entities[entity] ?? '');
}

/** Reads an answer of which nothing is wanted, so that its connection can be used again. */
export async function drain(response: Response): Promise<void> {
  await response.arrayBuffer();
}
