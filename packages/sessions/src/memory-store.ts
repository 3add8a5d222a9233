import { refuseUnknownOptions, requireFunction, requireInteger, requireObject } from '@signalbox/options';
import { answersInTime } from './bounded-store.js';
import { changed } from './session-text.js';
import { REMEMBER_END_MS, type Ownership, type SessionPlace, type SessionStore } from './store.js';

export interface MemoryStoreOptions {
  /**
   * Sessions kept at once; those that were not used for longest make room. An integer of at least 1.
   * @default 100_000
   */
  maxSessions?: number | undefined;
  /**
   * The clock, in milliseconds.
   * @default Date.now
   */
  now?: (() => number) | undefined;
}

interface Kept {
  /** Empty when it has ended. */
  text: string;
  endsAtMs: number;
}

/**
 * Keeps sessions in this process. For one process and for tests: they are gone when it ends.
 *
 * @throws {TypeError} when an option is wrong
 *
 * @example
 * const store = memoryStore({ maxSessions: 10_000 });
 */
export function memoryStore(options: MemoryStoreOptions = {}): SessionStore {
  requireObject('memoryStore', 'options', options);
  refuseUnknownOptions('memoryStore', options, ['maxSessions', 'now']);
  const { maxSessions = 100_000, now = Date.now } = options;
  requireInteger('memoryStore', 'maxSessions', maxSessions, 1);
  requireFunction('memoryStore', 'now', now);

  /** Those that were used longest ago come first, for a Map keeps the order of insertion. */
  const sessions = new Map<string, Kept>();
  /** The entries of each user's sessions, by tag and handle. */
  const lists = new Map<string, Map<string, string>>();

  const keyOf = ({ tag, handle }: SessionPlace): string => `${tag}:${handle}`;

  function find(key: string): Kept | undefined {
    const kept = sessions.get(key);
    if (kept === undefined || kept.endsAtMs > now()) return kept;
    forget(key);
    return undefined;
  }

  function keep(key: string, text: string, ms: number): void {
    sessions.delete(key);
    sessions.set(key, { text, endsAtMs: now() + ms });
  }

  function forget(key: string): void {
    sessions.delete(key);
    const [tag = '', handle = ''] = key.split(':');
    const list = lists.get(tag);
    if (list?.delete(handle) === true && list.size === 0) lists.delete(tag);
  }

  function makeRoom(): void {
    const time = now();
    for (const [key, { endsAtMs }] of sessions) {
      if (endsAtMs > time && sessions.size < maxSessions) return;
      forget(key);
    }
  }

  function endAt(place: SessionPlace): boolean {
    const key = keyOf(place);
    const existed = Boolean(find(key)?.text);
    forget(key);
    keep(key, '', REMEMBER_END_MS);
    return existed;
  }

  function alive(tag: string): [handle: string, entry: string, kept: Kept][] {
    const found: [string, string, Kept][] = [];
    for (const [handle, entry] of lists.get(tag) ?? []) {
      const kept = find(keyOf({ tag, handle }));
      if (kept !== undefined && kept.text !== '') found.push([handle, entry, kept]);
    }
    return found;
  }

  /** How many had to go; `undefined` when that is refused. */
  function admit(
    { tag, handle }: SessionPlace,
    { entry, tooOldMs, replaces, max, refuse }: Ownership,
  ): number | undefined {
    const isTooOld = (other: string): boolean => Number.parseInt(other, 10) <= tooOldMs;
    const listed = alive(tag);
    for (const [old, other] of listed) if (isTooOld(other)) endAt({ tag, handle: old });
    const others = listed.filter(([old, other]) => !isTooOld(other) && old !== replaces);
    const tooMany = max > 0 ? Math.max(0, others.length - max + 1) : 0;
    if (tooMany > 0 && refuse) return undefined;
    others.sort(([, one], [, other]) => Number.parseInt(one, 10) - Number.parseInt(other, 10));
    for (const [oldest] of others.slice(0, tooMany)) endAt({ tag, handle: oldest });
    const list = lists.get(tag) ?? new Map<string, string>();
    lists.set(tag, list.set(handle, entry));
    return tooMany;
  }

  return answersInTime({
    read(place, idleMs) {
      const key = keyOf(place);
      const kept = find(key);
      if (kept === undefined || kept.text === '') return kept?.text;
      keep(key, kept.text, idleMs);
      return kept.text;
    },

    async create(place, text, idleMs, owner) {
      const key = keyOf(place);
      const there = find(key);
      if (there !== undefined) return there.text === text ? 0 : 'exists';
      const evicted = owner === undefined ? 0 : admit(place, owner);
      if (evicted === undefined) return 'full';
      makeRoom();
      keep(key, text, idleMs);
      return evicted;
    },

    async update(place, changes, idleMs, maxBytes) {
      const key = keyOf(place);
      const text = find(key)?.text ?? '';
      if (text === '') return 'gone';
      const start = text.indexOf('\n') + 1;
      const body = changed(text.slice(start), changes);
      if (body === undefined) return 'conflict';
      if (start + Buffer.byteLength(body) > maxBytes) return 'too_large';
      keep(key, text.slice(0, start) + body, idleMs);
      return 'saved';
    },

    async end(place) {
      return endAt(place);
    },

    async list(tag) {
      const time = now();
      return alive(tag).map(([handle, entry, { endsAtMs }]) => ({ handle, entry, leftMs: endsAtMs - time }));
    },

    async endAll(tag, exceptHandle) {
      const others = alive(tag).filter(([handle]) => handle !== exceptHandle);
      for (const [handle] of others) endAt({ tag, handle });
      return others.length;
    },
  });
}
