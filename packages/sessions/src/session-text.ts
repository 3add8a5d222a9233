import { createHash } from 'node:crypto';
import expressSession from 'express-session';
import type { Change } from './store.js';

/** The data of a session: what `req.session` holds, without its `cookie`. */
export type Data = Record<string, unknown>;

/** A session as a store gave it. */
export interface ReadSession {
  createdAtMs: number;
  body: string;
  data: Data;
}

/**
 * In a store a session is its time of creation, a line break, and a JSON object with one member on each line:
 *
 *     1700000000000
 *     {"userId":"u_1"
 *     ,"cart":[1,2]
 *     }
 *
 * Since JSON has no line breaks of its own, a script can put lines in the place of others without reading JSON, which
 * Lua's cjson does with losses (`[]` becomes `{}`, 2^53 − 1 another number). Node reads it in one go.
 */
export function textOf(createdAtMs: number, body: string): string {
  return `${createdAtMs}\n${body}`;
}

/** `undefined` when it is no text of ours. */
export function readText(text: string): ReadSession | undefined {
  const end = text.indexOf('\n');
  const createdAtMs = Number(text.slice(0, end));
  const body = text.slice(end + 1);
  const data = end > 0 && createdAtMs > 0 ? parsed(body) : undefined;
  return data && { createdAtMs, body, data };
}

function parsed(body: string): Data | undefined {
  try {
    const data: unknown = JSON.parse(body);
    if (typeof data === 'object' && data !== null && !Array.isArray(data)) return data as Data;
  } catch {
    // Not JSON: the same as JSON that is no object. Somebody else wrote there.
  }
  return undefined;
}

/**
 * The text of a session's data.
 *
 * @throws what JSON.stringify throws, of a value that refers to itself or a BigInt
 */
export function bodyOf(session: object): string {
  let body = '{';
  for (const key of Object.keys(session)) {
    const member = isReserved(key) ? '' : memberOf(key, (session as Data)[key]);
    if (member === '') continue;
    body += body.length === 1 ? member : `\n,${member}`;
  }
  return `${body}\n}`;
}

const NATIVE: object = expressSession.Session.prototype;
/** What each session has of itself besides; of these the last two cannot be written to. */
const OWN: ReadonlySet<string> = new Set(['cookie', 'id', 'req']);

/** What express-session would not give back, as `toString`. */
export function isReserved(key: string): boolean {
  return OWN.has(key) || key in NATIVE;
}

/** The text of a session without data. */
export const EMPTY_BODY = '{\n}';

/** Empty where JSON leaves it out, as a function. */
function memberOf(key: string, value: unknown): string {
  const json = JSON.stringify(value) as string | undefined;
  return json === undefined ? '' : tokenOf(key) + json;
}

function tokenOf(key: string): string {
  return `${JSON.stringify(key)}:`;
}

/**
 * What became of the keys between two texts.
 *
 * @param isExact whether the changes are refused where somebody else has changed the same keys
 */
export function changesBetween(before: string, after: string, isExact: boolean): Change[] {
  const [old, now] = [membersOf(before), membersOf(after)];
  const changes: Change[] = [];
  for (const [token, member] of now) {
    if (old.get(token) !== member) changes.push(changeOf(token, member, old.get(token), isExact));
  }
  for (const [token, member] of old) {
    if (!now.has(token)) changes.push(changeOf(token, '', member, isExact));
  }
  return changes;
}

function changeOf(token: string, member: string, old: string | undefined, isExact: boolean): Change {
  if (!isExact) return { token, member, expected: '' };
  return { token, member, expected: old === undefined ? 'none' : sha1(old) };
}

/** A change of one key, from what `before` says of it; `undefined` where there is none to make. */
export function changeOfKey(before: string, key: string, value: unknown): Change | undefined {
  const token = tokenOf(key);
  const [old, member] = [membersOf(before).get(token), memberOf(key, value)];
  return (old ?? '') === member ? undefined : changeOf(token, member, old, true);
}

/** The members by their tokens. */
function membersOf(body: string): Map<string, string> {
  const members = new Map<string, string>();
  for (const line of body.split('\n')) {
    const member = line.slice(1);
    if (member !== '') members.set(TOKEN.exec(member)?.[0] ?? '', member);
  }
  return members;
}

const TOKEN = /^"(?:[^"\\]|\\.)*":/;

/** The text in which the changes are made; `undefined` when one of them was made from something else. */
export function changed(body: string, changes: readonly Change[]): string | undefined {
  const members = membersOf(body);
  for (const { token, member, expected } of changes) {
    const old = members.get(token);
    if (expected !== '' && expected !== (old === undefined ? 'none' : sha1(old))) return undefined;
    if (member === '') members.delete(token);
    else members.set(token, member);
  }
  return `{${[...members.values()].join('\n,')}\n}`;
}

function sha1(text: string): string {
  return createHash('sha1').update(text).digest('hex');
}
