import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { routeTemplate } from '@signalbox/context';
import { fieldOf, type Entry, type EntryHead, type Field } from './entry.js';
import type { Call } from './exchange.js';
import { hasCookiesSince, joinedField, listed, type Before } from './fields.js';
import { httpDate } from './http-date.js';
import { requireTags } from './options.js';
import type { Answer, Verdict } from './policy.js';
import { isSameEtag } from './reply.js';

/** Gives an answer a validator, where it has none. Weak, since who stands above may still compress it. */
export function addEtag(res: ServerResponse, body: Buffer): boolean {
  if (res.hasHeader('etag')) return false;
  res.setHeader('ETag', etagOf(body));
  return true;
}

function etagOf(body: Buffer): string {
  return `W/"${createHash('sha1').update(body).digest().toString('base64url', 0, 12)}"`;
}

/** A response as the policy looks at it: of cookies, those that were set below. */
export function answerOf(
  res: ServerResponse,
  before: Before,
  status: number,
  fields: readonly Field[] | undefined,
): Answer {
  return {
    status,
    field(name) {
      // `Age` and cookies are not kept: they are those of the answer that came just now.
      if (fields !== undefined && name !== 'age' && name !== 'set-cookie') {
        // What stands above is not kept either, and governs each answer that leaves with it.
        const isBelow = fields.some(([field]) => field.toLowerCase() === name);
        return isBelow ? fieldOf(fields, name) : joinedField(before.get(name));
      }
      const value = res.getHeader(name);
      if (name === 'set-cookie' && !hasCookiesSince(res, before)) return undefined;
      return joinedField(value);
    },
  };
}

/** The fields that a 304 leaves as they were: they speak of the body. */
const OF_THE_BODY: ReadonlySet<string> = new Set(['content-length', 'content-encoding', 'content-range']);

/** Stored fields as a 304 has renewed them (RFC 9111 section 3.2). */
export function freshened(stored: readonly Field[], newer: readonly Field[], now: number): Field[] {
  const news = newer
    .filter(([name]) => !OF_THE_BODY.has(name.toLowerCase()))
    .map((field): Field => (field[0].toLowerCase() === 'vary' ? varyingStill(field, stored) : field));
  // Otherwise it would be as old as before.
  if (fieldOf(news, 'date') === undefined) news.push(['Date', httpDate(now)]);
  const replaced = new Set(news.map(([name]) => name.toLowerCase()));
  return [...stored.filter(([name]) => !replaced.has(name.toLowerCase())), ...news];
}

/** `Vary` of a 304, and what else the body depends on: who compressed it may not say so where there is none. */
function varyingStill([name, value]: Field, stored: readonly Field[]): Field {
  const told = String(value);
  const before = (fieldOf(stored, 'vary') ?? '').split(',').map((each) => each.trim());
  const more = before.filter((each) => each !== '' && !listed(told).includes(each.toLowerCase()));
  return [name, [told, ...more].join(', ')];
}

/** RFC 9111 section 4.3.4: a 304 about another answer than the one that is kept renews nothing. */
export function isAbout(res: ServerResponse, { head }: Entry): boolean {
  const etag = joinedField(res.getHeader('etag'));
  return etag === undefined || head.etag === undefined || isSameEtag(etag, head.etag);
}

/**
 * What an answer can be forgotten by. What the app's function throws reaches nobody who writes to the response, where it
 * might end the process.
 *
 * @returns `undefined` where it cannot be known: the answer would never be forgotten
 */
export function tagsOf({ engine, req, seen }: Call): readonly string[] | undefined {
  const { tags } = engine.settings;
  if (typeof tags !== 'function') return tags;
  try {
    const own = tags(req, seen);
    requireTags('cache', own);
    return own;
  } catch (error) {
    engine.warnOfTags(error);
    return undefined;
  }
}

/** What is kept of an answer beside its body. */
export function entryHead(parts: {
  call: Call;
  tags: readonly string[];
  stamp: number;
  tookMs: number;
  status: number;
  fields: readonly Field[];
  verdict: Verdict;
  vary: readonly string[];
}): EntryHead {
  const { call, tags, stamp, tookMs, status, fields, verdict, vary } = parts;
  const { engine, req, key } = call;
  const kept = [...fields];
  if (fieldOf(fields, 'date') === undefined) kept.push(['Date', httpDate(engine.now())]);
  if (vary.length > 0 && fieldOf(fields, 'vary') === undefined) kept.push(['Vary', vary.join(', ')]);
  return {
    status,
    path: key.path,
    fields: kept,
    bornAt: verdict.bornAt,
    freshUntil: verdict.freshUntil,
    revalidateUntil: verdict.revalidateUntil,
    errorUntil: verdict.errorUntil,
    keptUntil: verdict.keptUntil,
    isPublic: verdict.isPublic,
    mustValidate: verdict.mustValidate,
    etag: fieldOf(fields, 'etag'),
    lastModified: fieldOf(fields, 'last-modified'),
    tags,
    stamp,
    tookMs,
    route: routeTemplate(req),
    vary: [],
    epoch: '',
  };
}
