import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import {
  CONNECTION,
  CONTENT_LENGTH,
  DROP,
  LOCATION,
  namedByConnection,
  withMore,
  OURS_FIRST,
  OURS_LAST,
  PASS,
  SET_COOKIE,
  TRAILER,
  TRANSFER_ENCODING,
  VARY,
  VIA,
  type HeaderRule,
} from './proxy-header-names.js';
import { outsideCookie, outsideLocation, type Outside } from './proxy-answer-urls.js';
import type { ProxySettings } from './proxy-options.js';

/** An answer that is no answer; the caller says whose. */
export class UnusableHeadError extends Error {}

/** An answer like any other, which is larger than is passed on: nothing is wrong with who gave it. */
export class TooLargeAnswerError extends UnusableHeadError {
  constructor(maxBytes: number) {
    super(`is larger than ${maxBytes} bytes`);
  }
}

/** What the header section tells of the body. */
export interface ResponseHead {
  /** `undefined` when it is not told, or there is no body. */
  contentLength: number | undefined;
  isEventStream: boolean;
}

/**
 * Puts the upstream's status and header fields on the response. What the app has set before stays where the
 * upstream says nothing of it; `Set-Cookie`, `Vary` and `Cache-Status` of both are sent.
 *
 * @throws {UnusableHeadError} before anything stands there, so that an error has what the app has set
 */
export function writeHead(
  req: IncomingMessage,
  res: ServerResponse,
  settings: ProxySettings,
  outside: Outside,
  status: number,
  statusText: string,
  raw: readonly Buffer[],
): ResponseHead {
  if (raw.length / 2 > settings.maxHeaders)
    throw new UnusableHeadError(`has more than ${settings.maxHeaders} header fields`);
  const head: ResponseHead = { contentLength: undefined, isEventStream: false };
  const fields = new Fields(res);
  let named: string[] | undefined;
  let trailer: string | undefined;

  for (let index = 0; index < raw.length; index += 2) {
    const rule = settings.responseHeaders.rule(raw[index]?.toString('latin1') ?? '');
    const value = raw[index + 1]?.toString('latin1') ?? '';
    switch (rule.action) {
      case PASS:
        if (rule.lowerCase === 'content-type') head.isEventStream = EVENT_STREAM.test(value);
        fields.set(rule.lowerCase, rule.name, value);
        break;
      case DROP:
        break;
      case CONNECTION:
        // There may be several of these lines, and all of them count.
        named = withMore(named, namedByConnection(value));
        break;
      case CONTENT_LENGTH:
        // RFC 9110 section 8.6: not with a 204.
        if (status === 204) break;
        head.contentLength = Number(value);
        fields.set(rule.lowerCase, rule.name, value);
        break;
      case TRANSFER_ENCODING:
        if (value.toLowerCase() !== 'chunked')
          throw new UnusableHeadError('has a transfer coding that nobody asked for');
        break;
      case SET_COOKIE:
        fields.add(
          'set-cookie',
          'Set-Cookie',
          settings.rewriteAnswers ? outsideCookie(value, outside, settings.cookies) : value,
        );
        break;
      case VARY:
        fields.addVary(value);
        break;
      case VIA:
        fields.add('via', 'Via', value);
        break;
      case LOCATION:
        fields.set(
          rule.lowerCase,
          rule.name,
          settings.rewriteAnswers ? outsideLocation(value, outside) : value,
        );
        break;
      case TRAILER:
        trailer = value;
        break;
      case OURS_FIRST:
        if (!fields.isOurs(rule)) fields.set(rule.lowerCase, rule.name, value);
        break;
      case OURS_LAST:
        fields.addBeforeOurs(rule, value);
        break;
      default:
        fields.set(rule.lowerCase, rule.name, value);
    }
  }
  fields.add('via', 'Via', settings.via);
  if (named !== undefined) fields.remove(named);
  if (hasNoBody(req.method, status)) head.contentLength = undefined;
  // Node refuses a Trailer where the body has a length.
  else if (trailer !== undefined && head.contentLength === undefined && req.httpVersion === '1.1')
    fields.set('trailer', 'Trailer', trailer);
  if ((head.contentLength ?? 0) > settings.maxResponseBytes)
    throw new TooLargeAnswerError(settings.maxResponseBytes);
  fields.commit();
  res.statusCode = status;
  // Without one, Node puts its own in its place.
  if (statusText !== STATUS_CODES[status] && REASON.test(statusText)) res.statusMessage = statusText;
  return head;
}

/** A media type is the same in any case (RFC 9110 section 8.3.1). */
const EVENT_STREAM = /^text\/event-stream/i;

/** What was meant for people: no more of it than they would read. */
const REASON = /^[\t\u0020-\u007e]{1,256}$/;

/** RFC 9112 section 6.3. */
export function hasNoBody(method: string | undefined, status: number): boolean {
  return method === 'HEAD' || status === 204 || status === 304;
}

/**
 * Of CORS all or nothing: whom the app lets read, it would else let read by rights that the upstream gives. An app that
 * varies by `Origin` and allows nobody has refused this one.
 */
function decidesWhoReads(res: ServerResponse): boolean {
  return (
    res.hasHeader('access-control-allow-origin') ||
    /(?:^|,)\s*origin\s*(?:,|$)/i.test(String(res.getHeader('vary')))
  );
}

/** Header fields of one answer. The same name may come several times, and in several spellings. */
class Fields {
  private readonly res: ServerResponse;
  private readonly keys: string[] = [];
  private readonly names: string[] = [];
  private readonly values: (string | string[])[] = [];

  constructor(res: ServerResponse) {
    this.res = res;
  }

  isOurs({ name, lowerCase }: HeaderRule): boolean {
    const { res } = this;
    return res.hasHeader(name) || (lowerCase.startsWith('access-control-') && decidesWhoReads(res));
  }

  set(key: string, name: string, value: string): void {
    const index = this.keys.indexOf(key);
    if (index === -1) {
      this.keys.push(key);
      this.names.push(name);
      this.values.push(value);
      return;
    }
    const before = this.values[index];
    this.values[index] = Array.isArray(before) ? [...before, value] : [before ?? '', value];
  }

  /** To what the app has set before. */
  add(key: string, name: string, value: string): void {
    if (!this.keys.includes(key)) {
      const ours = this.res.getHeader(key);
      if (Array.isArray(ours)) for (const each of ours) this.set(key, name, each);
      else if (ours !== undefined) this.set(key, name, String(ours));
    }
    this.set(key, name, value);
  }

  addBeforeOurs({ name, lowerCase }: HeaderRule, value: string): void {
    const index = this.keys.indexOf(lowerCase);
    const ours = this.res.getHeader(lowerCase);
    if (ours === undefined || index === -1) {
      this.set(lowerCase, name, value);
      if (ours !== undefined) this.set(lowerCase, name, String(ours));
      return;
    }
    const before = this.values[index];
    if (Array.isArray(before)) before.splice(-1, 0, value);
  }

  /** One line; a CORS middleware has named `Origin` in it already. */
  addVary(value: string): void {
    const index = this.keys.indexOf('vary');
    const before = index === -1 ? this.res.getHeader('vary') : this.values[index];
    const merged = before === undefined ? value : mergedVary(`${String(before)}, ${value}`);
    if (index === -1) this.set('vary', 'Vary', merged);
    else this.values[index] = merged;
  }

  remove(named: readonly string[]): void {
    for (let index = this.keys.length - 1; index >= 0; index -= 1) {
      const key = this.keys[index] ?? '';
      if (!named.includes(key) || key === 'content-length' || key === 'via') continue;
      this.keys.splice(index, 1);
      this.names.splice(index, 1);
      this.values.splice(index, 1);
    }
  }

  commit(): void {
    const { res, names, values } = this;
    try {
      for (let index = 0; index < names.length; index += 1) {
        res.setHeader(names[index] ?? '', values[index] ?? '');
      }
    } catch (error) {
      for (const name of names) res.removeHeader(name);
      throw error;
    }
  }
}

function mergedVary(all: string): string {
  const fields = new Map(all.split(',').map((field) => [field.trim().toLowerCase(), field.trim()]));
  return fields.has('*') ? '*' : [...fields.values()].join(', ');
}
