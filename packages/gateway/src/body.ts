import { brotliDecompress, gunzip, inflate, inflateRaw } from 'node:zlib';
import { promisify } from 'node:util';
import type { Dispatcher } from 'undici';

type Body = Dispatcher.ResponseData['body'];

/** An answer that is not taken as it is; the caller says whose. */
export class UnusableBodyError extends Error {}

/** An answer like any other, which is larger than is taken: nothing is wrong with who gave it. */
export class TooLargeBodyError extends UnusableBodyError {
  constructor(maxBytes: number) {
    super(`is larger than ${maxBytes} bytes`);
  }
}

const ignoreError = (): void => undefined;

/**
 * Reads a body of at most `maxBytes`. What is larger is not read on: its connection is destroyed.
 *
 * @throws {UnusableBodyError}
 */
export async function readBody(body: Body, contentLength: unknown, maxBytes: number): Promise<Buffer> {
  // Destroying a body that nobody iterates any more raises "error" on it.
  body.on('error', ignoreError);
  if (Number(contentLength) > maxBytes) {
    body.destroy();
    throw new TooLargeBodyError(maxBytes);
  }

  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    length += chunk.length;
    // Leaving the loop destroys the body, and with it the connection.
    if (length > maxBytes) throw new TooLargeBodyError(maxBytes);
    chunks.push(chunk);
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, length);
}

/** Lets go of a body that nobody wants: a small one is read so that the connection can be used again. */
export function discardBody(body: Body): void {
  body.on('error', ignoreError);
  body.dump({ limit: 65_536, signal: AbortSignal.timeout(1_000) }).catch(ignoreError);
}

/**
 * Undoes `Content-Encoding` (RFC 9110 section 8.4), with the same bound on what comes out: a small
 * gzip bomb is as large an answer as a large one.
 *
 * @throws {UnusableBodyError}
 */
export async function decodeBody(
  body: Buffer,
  contentEncoding: string | string[] | undefined,
  maxBytes: number,
): Promise<Buffer> {
  if (body.length === 0 || contentEncoding === undefined) return body;
  // Of several lines undici makes a list: they are one (RFC 9110 section 5.3).
  const codings = String(contentEncoding)
    .split(',')
    .map((coding) => coding.trim().toLowerCase())
    .filter((coding) => coding !== '' && coding !== 'identity');
  if (codings.length > MAX_CODINGS) throw new UnusableBodyError('is encoded too many times over');

  let decoded = body;
  for (const coding of codings.toReversed()) decoded = await decode(decoded, coding, maxBytes);
  return decoded;
}

/** One is what servers do; a chain of many is work that only an attacker asks for. */
const MAX_CODINGS = 2;

const decoders = {
  gzip: promisify(gunzip),
  br: promisify(brotliDecompress),
  zlib: promisify(inflate),
  raw: promisify(inflateRaw),
};

async function decode(body: Buffer, coding: string, maxBytes: number): Promise<Buffer> {
  const decoder = decoderOf(body, coding);
  if (decoder === undefined) throw new UnusableBodyError('has an encoding that was not asked for');
  try {
    return await decoder(body, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw new TooLargeBodyError(maxBytes);
    throw new UnusableBodyError('cannot be decompressed', { cause: error });
  }
}

function decoderOf(body: Buffer, coding: string): (typeof decoders)['gzip'] | undefined {
  switch (coding) {
    case 'gzip':
    case 'x-gzip':
      return decoders.gzip;
    case 'br':
      return decoders.br;
    case 'deflate':
      // Zlib format by RFC 9110 section 8.4.1.2; some servers send it bare. The low nibble 8 is zlib's.
      return ((body[0] ?? 0) & 0x0f) === 8 ? decoders.zlib : decoders.raw;
    default:
      return undefined;
  }
}
