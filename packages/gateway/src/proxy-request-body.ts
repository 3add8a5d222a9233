import { Readable } from 'node:stream';
import { HttpError } from '@signalbox/errors';
import type { Connection, ConnectionUser } from './connection.js';
import { ProxyRequestError } from './proxy-errors.js';
import type { OutgoingHeaders, ProxyRequest } from './proxy-request-headers.js';

/** Bodies up to here are read before anybody is asked: no slow client then holds a connection to the upstream. */
const SMALL_BYTES = 131_072;
const HIGH_WATER_BYTES = 65_536;

/** Whether a body parser, or somebody else, has read the body. */
export function isConsumed(req: ProxyRequest): boolean {
  return req.readableDidRead || req.readableEnded;
}

export function isSmall({ contentLength }: OutgoingHeaders): boolean {
  return contentLength !== undefined && contentLength <= SMALL_BYTES;
}

/**
 * Reads a body whose length is known to be small.
 *
 * @param use gets it once it is there, in the pieces in which it came; never called when the client leaves before
 */
export function readSmall(req: ProxyRequest, use: (body: Pieces) => void): void {
  const pieces: Buffer[] = [];
  req.on('data', (piece: Buffer) => void pieces.push(piece));
  req.on('end', () => use(new Pieces(pieces)));
  req.on('error', ignore);
  // Somebody may have stopped it for as long as it was looked up who asks.
  req.resume();
}

/** A body that is there, and can be sent again. */
export class Pieces {
  private readonly pieces: readonly Buffer[];

  constructor(pieces: readonly Buffer[]) {
    this.pieces = pieces;
  }

  /** For one request. */
  toBody(): Buffer | Readable | null {
    const { pieces } = this;
    return pieces.length > 1 ? new GatheredBody(pieces) : (pieces[0] ?? null);
  }
}

/** Pieces that leave in one write. Joined into one, they would be copied once more. */
class GatheredBody extends Readable implements ConnectionUser {
  connection: Connection | undefined = undefined;

  constructor(pieces: readonly Buffer[]) {
    super({ highWaterMark: SMALL_BYTES });
    for (const piece of pieces) this.push(piece);
    this.push(null);
    this.once('resume', () => this.gather());
    // Raised when undici destroys it; what there is to say has been said to the exchange.
    this.on('error', ignore);
  }

  override _read(): void {
    // All of it is there.
  }

  /** It takes memory in any case: the socket may have all of it at once. */
  override pause(): this {
    return this;
  }

  private gather(): void {
    const socket = this.connection?.socket;
    if (socket === undefined) return;
    socket.cork();
    this.once('close', () => socket.uncork());
  }
}

/**
 * A request's body on its way to the upstream. A stream of its own, since undici destroys what it was given
 * when the upstream fails, and the request's connection is still needed for the answer.
 */
export class UploadBody extends Readable {
  /** Whether the upstream has had enough for now. */
  isFull = true;
  isOver = false;
  /** The client has left, or was sent away, in the middle of it. */
  isLost = false;
  /** When the last bytes were passed on. */
  progressAt: number = performance.now();

  private readonly req: ProxyRequest;
  private readonly maxBytes: number;
  private readonly onTooLarge: () => void;
  private bytes = 0;
  private isAttached = false;

  constructor(req: ProxyRequest, maxBytes: number, onTooLarge: () => void) {
    super({ highWaterMark: HIGH_WATER_BYTES });
    this.req = req;
    this.maxBytes = maxBytes;
    this.onTooLarge = onTooLarge;
    // Raised when undici destroys it; what there is to say has been said to the exchange.
    this.on('error', ignore);
    // Somebody listens already, as to count the bytes: what came before the upstream is connected would be theirs alone.
    if (req.readableFlowing === true) this.attach();
  }

  override _read(): void {
    this.isFull = false;
    if (!this.isAttached) this.attach();
    this.req.resume();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.detach();
    callback(error);
  }

  private attach(): void {
    this.isAttached = true;
    this.req.on('data', this.pass).on('end', this.finish).on('error', this.fail).on('close', this.fail);
  }

  /** What the client still sends is thrown away, so that it comes to read the answer. */
  private detach(): void {
    if (!this.isAttached) return;
    this.isAttached = false;
    this.req.off('data', this.pass).off('end', this.finish).off('close', this.fail);
    if (!this.req.readableEnded) this.req.resume();
  }

  private readonly pass = (chunk: Buffer): void => {
    this.bytes += chunk.length;
    this.progressAt = performance.now();
    if (this.bytes > this.maxBytes) {
      this.onTooLarge();
      return;
    }
    if (this.push(chunk)) return;
    this.isFull = true;
    this.req.pause();
  };

  private readonly finish = (): void => {
    this.isOver = true;
    this.progressAt = performance.now();
    this.push(null);
  };

  private readonly fail = (): void => {
    if (this.isOver) return;
    this.isLost = true;
    this.destroy(new Error('the client has left'));
  };
}

function ignore(): void {
  // A request that breaks off is told by the end of its response.
}

/**
 * Writes a body anew that a parser in front of the proxy has read. Adds `Content-Type` to the headers.
 *
 * @throws {ProxyRequestError} when there is no telling what it was
 */
export function writeParsed(req: ProxyRequest, headers: OutgoingHeaders): Buffer | null {
  const { contentType = '' } = headers;
  // It ended without a byte: parsers make an empty object of that.
  if (!req.readableDidRead) return typed(null, contentType, headers);
  const { body, rawBody } = req as { body?: unknown; rawBody?: unknown };
  if (Buffer.isBuffer(rawBody)) return typed(rawBody, contentType, headers);
  if (Buffer.isBuffer(body)) return typed(body, contentType, headers);

  const type = contentType.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  const text = textOf(body, type, headers.contentLength);
  if (text !== undefined) return typed(Buffer.from(text), asUtf8(contentType), headers);
  throw new HttpError(
    500,
    `proxy: the body was read before, and cannot be made again of what is in req.body`,
    {
      code: 'request_body_consumed',
    },
  );
}

function typed<Body extends Buffer | null>(
  body: Body,
  contentType: string,
  { fields }: OutgoingHeaders,
): Body {
  if (contentType !== '') fields.push('content-type', contentType);
  return body;
}

function textOf(body: unknown, type: string, length: number | undefined): string | undefined {
  if (body === undefined) return undefined;
  const isJson = type === 'application/json' || type.endsWith('+json');
  if (typeof body === 'string') return isJson && !isJsonText(body) ? JSON.stringify(body) : body;
  if (isJson) return JSON.stringify(body);
  if (type === 'application/x-www-form-urlencoded' && typeof body === 'object' && body !== null)
    return formOf(body, length);
  return undefined;
}

/** A parser that takes JSON strings, too, hands over `abc` for `"abc"`. */
function isJsonText(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** How each of several plain values of a list is named. */
type NameOfItem = (name: string, index: number) => string;

const NAMES_OF_ITEMS: readonly NameOfItem[] = [
  (name) => name,
  (name) => `${name}[]`,
  (name, index) => `${name}[${index}]`,
];

/**
 * The parser has forgotten whether a list came as `a=1&a=2`, as `a[]=1&a[]=2` or as `a[0]=1&a[1]=2`. PHP and Rails take the
 * last alone of the first, others know no `a` of the others: what is as long as the body was is what came.
 */
function formOf(body: object, length: number | undefined): string {
  const forms = NAMES_OF_ITEMS.map((nameOfItem) => {
    const fields = new URLSearchParams();
    for (const [name, value] of Object.entries(body)) addField(fields, name, value, nameOfItem, 0);
    return fields.toString();
  });
  const came =
    forms.find((form) => form.length === length) ??
    // Browsers write a blank as `+`, and many a program as `%20`.
    forms.find((form) => form.replaceAll('+', '%20').length === length);
  return came ?? forms[0] ?? '';
}

const MAX_DEPTH = 32;

/**
 * As qs writes them: `a[b]=c`. A list of one plain value has brackets in any case: without, it would be no list any more.
 */
function addField(
  fields: URLSearchParams,
  name: string,
  value: unknown,
  nameOfItem: NameOfItem,
  depth: number,
): void {
  if (depth > MAX_DEPTH) throw new ProxyRequestError(400, 'invalid_body', 'The form is nested too deeply.');
  if (Array.isArray(value)) {
    const isPlain = value.every((item) => typeof item !== 'object');
    for (const [index, item] of value.entries()) {
      const plainName = nameOfItem(name, index);
      const ofOne = value.length === 1 && plainName === name ? `${name}[]` : plainName;
      addField(fields, isPlain ? ofOne : `${name}[${index}]`, item, nameOfItem, depth + 1);
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value))
      addField(fields, `${name}[${key}]`, item, nameOfItem, depth + 1);
  } else {
    fields.append(name, value === null || value === undefined ? '' : `${value as string | number | boolean}`);
  }
}

function asUtf8(contentType: string): string {
  return contentType.replace(/(;\s*charset=)("?)[^;"]*\2/i, '$1utf-8');
}
