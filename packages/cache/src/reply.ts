import type { ServerResponse } from 'node:http';
import type { Request } from 'express';
import { fieldOf, type Entry, type EntryHead } from './entry.js';
import { joinedField, listed, ownLines, restore, type Before } from './fields.js';
import { parseHttpDate } from './http-date.js';
import { Recorder } from './recorder.js';

/** How the response is sent: past whoever listens to what handlers write. */
export type Send = (body: Buffer | undefined) => void;

/** The conditions of a client, which a cache answers itself where it can. */
export interface Conditions {
  readonly ifNoneMatch: string | undefined;
  readonly ifModifiedSince: string | undefined;
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
}

export function conditionsOf({ headers }: Request): Conditions {
  return {
    ifNoneMatch: headers['if-none-match'],
    ifModifiedSince: headers['if-modified-since'],
    range: headers.range,
    ifRange: headers['if-range']?.toString(),
  };
}

/** Writes an entry's fields into the response, beside what was set above the cache. */
function setFields(res: ServerResponse, { head }: Entry): void {
  for (const [name, value] of head.fields) {
    if (value.length === 0 && typeof value !== 'string') res.removeHeader(name);
    else if (name.length === 4 && name.toLowerCase() === 'vary') addVary(res, value);
    else res.setHeader(name, ownLines(value));
  }
}

function addVary(res: ServerResponse, value: string | string[]): void {
  const text = typeof value === 'string' ? value : value.join(', ');
  const present = joinedField(res.getHeader('vary'));
  if (present === undefined || present === '') {
    res.setHeader('Vary', text);
    return;
  }
  const known = listed(present);
  const missing = text.split(',').filter((name) => !known.includes(name.trim().toLowerCase()));
  if (missing.length > 0)
    res.setHeader('Vary', `${present}, ${missing.map((name) => name.trim()).join(', ')}`);
}

/**
 * Sends an entry: as it is, as 304 to a client that has it, or the part of it that is asked for.
 *
 * @param isPrivate whether no other cache may keep it
 */
export function sendEntry(
  req: Request,
  res: ServerResponse,
  entry: Entry,
  conditions: Conditions,
  now: number,
  isPrivate: boolean,
  send: Send,
): void {
  const { head, body } = entry;
  setFields(res, entry);
  // RFC 9111 section 5.1.
  res.setHeader('Age', String(Math.floor(entry.ageMs(now) / 1_000)));
  if (isPrivate) makePrivate(res);

  if (head.status === 200 && isNotModified(entry, conditions)) {
    res.statusCode = 304;
    res.removeHeader('Content-Type');
    res.removeHeader('Content-Encoding');
    send(undefined);
    return;
  }
  res.statusCode = head.status;
  if (head.status === 200 && conditions.range !== undefined && req.method === 'GET') {
    if (sendRange(res, entry, conditions.range, conditions.ifRange, send)) return;
  }
  if (head.status !== 204) res.setHeader('Content-Length', String(body.length));
  send(req.method === 'HEAD' ? undefined : body);
}

/** Makes it a 304 with the fields of the answer, whatever has become of the response since they were set. */
export function makeNotModified(res: ServerResponse, fields: Before): void {
  restore(res, fields);
  res.statusCode = 304;
  res.statusMessage = '';
  for (const name of ['Content-Type', 'Content-Length', 'Content-Encoding', 'Transfer-Encoding']) {
    res.removeHeader(name);
  }
}

function isNotModified({ head, ownEtag }: Entry, conditions: Conditions): boolean {
  // RFC 9111 section 4.3.2: without `Last-Modified` it is compared with when the answer came to be.
  return isMet(conditions, ownEtag, head.lastModified ?? fieldOf(head.fields, 'date'));
}

/** Whether a client has what is being answered. */
export function isKnown(res: ServerResponse, conditions: Conditions): boolean {
  const [etag, modified] = [res.getHeader('etag'), res.getHeader('last-modified') ?? res.getHeader('date')];
  return isMet(conditions, joinedField(etag), joinedField(modified));
}

/** RFC 9110 section 13.2.2: `If-None-Match` comes first, and `If-Modified-Since` only where it is absent. */
function isMet(
  { ifNoneMatch, ifModifiedSince }: Conditions,
  etag: string | undefined,
  modified: string | undefined,
): boolean {
  if (ifNoneMatch !== undefined) return hasEtag(ifNoneMatch, etag);
  const [since, changed] = [parseHttpDate(ifModifiedSince), parseHttpDate(modified)];
  return since !== undefined && changed !== undefined && changed <= since;
}

function hasEtag(wanted: string, etag: string | undefined): boolean {
  if (wanted.trim() === '*') return true;
  if (etag === undefined) return false;
  return (wanted.match(/(?:W\/)?"[^"]*"/g) ?? []).some((each) => isSameEtag(each, etag));
}

/** RFC 9110 section 8.8.3.2: weak comparison. */
export function isSameEtag(one: string, other: string): boolean {
  return withoutWeakness(one) === withoutWeakness(other);
}

function withoutWeakness(etag: string): string {
  return etag.startsWith('W/') ? etag.slice(2) : etag;
}

const BYTE_RANGE = /^bytes=\s*(\d*)-(\d*)\s*$/i;

/**
 * Sends one range of bytes (RFC 9110 section 14). Several at once, or what cannot be read, is answered as if it had not
 * been asked for, as section 14.2 allows.
 */
function sendRange(
  res: ServerResponse,
  { head, body, ownEtag }: Entry,
  range: string,
  ifRange: string | undefined,
  send: Send,
): boolean {
  if (ifRange !== undefined && !isUnchanged(ifRange, ownEtag, head)) return false;
  const [whole, first = '', last = ''] = BYTE_RANGE.exec(range) ?? [];
  if (whole === undefined || (first === '' && last === '')) return false;
  const start = first === '' ? Math.max(0, body.length - Number(last)) : Number(first);
  const end = first === '' || last === '' ? body.length - 1 : Math.min(Number(last), body.length - 1);
  if (first !== '' && last !== '' && Number(last) < Number(first)) return false;
  // They are sums over all of what is sent (RFC 9530 section 2).
  for (const name of ['Content-Digest', 'Content-MD5']) res.removeHeader(name);
  if (start >= body.length || (first === '' && Number(last) === 0)) {
    res.statusCode = 416;
    // The fields are those of the whole, and other caches may keep whatever states a lifetime.
    res.setHeader('Cache-Control', 'no-store');
    res.setHeader('Content-Range', `bytes */${body.length}`);
    res.setHeader('Content-Length', '0');
    send(undefined);
    return true;
  }
  res.statusCode = 206;
  // Bytes of the whole as it is kept: compressed by who stands above, they would be bytes of nothing.
  if (res.req.headers['accept-encoding'] !== undefined) forbidTransforms(res);
  res.setHeader('Content-Range', `bytes ${start}-${end}/${body.length}`);
  res.setHeader('Content-Length', String(end - start + 1));
  send(body.subarray(start, end + 1));
  return true;
}

/** RFC 9111 section 5.2.2.6. */
function forbidTransforms(res: ServerResponse): void {
  const stated = joinedField(res.getHeader('cache-control'));
  if (stated === undefined || stated === '') res.setHeader('Cache-Control', 'no-transform');
  else if (!/\bno-transform\b/i.test(stated)) res.setHeader('Cache-Control', `${stated}, no-transform`);
}

/** RFC 9110 section 13.1.5: strong comparison. */
function isUnchanged(
  ifRange: string,
  etag: string | undefined,
  { lastModified, fields }: EntryHead,
): boolean {
  if (ifRange.startsWith('"')) return ifRange === etag;
  return lastModified !== undefined && ifRange === lastModified && isStrong(lastModified, fields);
}

/** RFC 9110 section 8.8.2.2: what was changed and sent within one second may have changed once more in it. */
function isStrong(lastModified: string, fields: EntryHead['fields']): boolean {
  const [changed, sent] = [parseHttpDate(lastModified), parseHttpDate(fieldOf(fields, 'date'))];
  return changed !== undefined && sent !== undefined && sent - changed >= 1_000;
}

/** Does so with whatever is answered below. */
export function stayPrivate(res: ServerResponse): Recorder {
  return beforeHead(res, () => makePrivate(res));
}

/** Does something once status and fields stand in the response, and before they are sent. */
export function beforeHead(res: ServerResponse, listener: () => void): Recorder {
  return new Recorder(res, 0, {
    head() {
      listener();
      return 'pass';
    },
    tooLong: ignore,
    done: ignore,
  });
}

function ignore(): void {
  // It is not kept.
}

/** Says that no cache further on may keep it, where the answer itself does not say who may. */
export function makePrivate(res: ServerResponse): void {
  const stated = joinedField(res.getHeader('cache-control'));
  if (stated === undefined || stated === '') res.setHeader('Cache-Control', 'private');
  else if (!/\b(?:private|public|no-store|s-maxage)\b/i.test(stated)) {
    res.setHeader('Cache-Control', `private, ${stated}`);
  }
}
