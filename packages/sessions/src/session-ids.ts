import { createHmac, randomFillSync, timingSafeEqual, type KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { derivedKeys, type DerivedKeys } from './derived-keys.js';
import type { SessionPlace } from './store.js';

/** What a cookie that was signed here says. */
export interface OpenedCookie {
  readonly id: string;
  readonly place: SessionPlace;
  /** When it was sent, in milliseconds since 1970. */
  readonly sentAtMs: number;
}

/** Makes ids, finds the place that belongs to one, and signs and reads cookies. */
export interface SessionIds {
  /** A new id; of a user who signs in, with the user's tag in it. */
  create(tag?: string): string;
  placeOf(id: string): SessionPlace | undefined;
  /** Where a user's new sessions are. */
  tagOf(userId: string): string;
  /** Where a user's sessions may be: one place for each secret. */
  tagsOf(userId: string): string[];
  /** The value of a cookie that is sent now. */
  seal(id: string, nowMs: number): string;
  /** What the value says; `undefined` when it was not signed here. */
  readonly open: (value: string) => OpenedCookie | undefined;
}

const RANDOM_LENGTH = 32;
const TAG_LENGTH = 16;
const MARK_LENGTH = 4;
const GUEST_LENGTH = RANDOM_LENGTH + MARK_LENGTH;
const USER_LENGTH = RANDOM_LENGTH + TAG_LENGTH + MARK_LENGTH;
const COOKIE = /^[\w-]{36}(?:[\w-]{16})?\.[0-9a-z]{1,9}\.[\w-]{43}$/;
const MAX_COOKIE_LENGTH = USER_LENGTH + 1 + 9 + 1 + 43;

/** How many cookies are remembered with what they say, so that they need not be verified each time. */
const MAX_REMEMBERED = 20_000;

/**
 * An id is 192 random bits, then the user's tag if it has a user, then the mark of the secret that its hashes are
 * made with: so a new secret in front of the list neither signs anybody out nor moves what is kept. The tag is in it
 * because Redis Cluster places by it all that one script touches: a session and the list of its user's sessions.
 *
 * A cookie says when it was sent, so that nothing has to be written where it is time to send it again.
 *
 * @throws {TypeError} when a secret is too short
 */
export function sessionIds(owner: string, secrets: unknown): SessionIds {
  const keys = derivedKeys(owner, secrets);
  const [newest] = keys;
  const opened = new LRUCache<string, OpenedCookie>({ max: MAX_REMEMBERED });

  function placeOf(id: string): SessionPlace | undefined {
    if (id.length !== GUEST_LENGTH && id.length !== USER_LENGTH) return undefined;
    const key = keys.find(({ mark }) => id.endsWith(mark));
    if (key === undefined) return undefined;
    const handle = hashed(key.id, id, 16);
    if (id.length === GUEST_LENGTH) return { tag: handle, handle };
    return { tag: id.slice(RANDOM_LENGTH, RANDOM_LENGTH + TAG_LENGTH), handle };
  }

  function verify(value: string): OpenedCookie | undefined {
    if (!COOKIE.test(value)) return undefined;
    const end = value.lastIndexOf('.');
    const signed = value.slice(0, end);
    if (!isSigned(keys, signed, value.slice(end + 1))) return undefined;
    const [id = '', sentAt = ''] = signed.split('.');
    const place = placeOf(id);
    return place && { id, place, sentAtMs: Number.parseInt(sentAt, 36) * 1_000 };
  }

  return {
    create: (tag = '') => `${randomText()}${tag}${newest.mark}`,
    placeOf,
    tagOf: (userId) => hashed(newest.user, userId, 12),
    tagsOf: (userId) => keys.map(({ user }) => hashed(user, userId, 12)),

    seal(id, nowMs) {
      const signed = `${id}.${Math.floor(nowMs / 1_000).toString(36)}`;
      return `${signed}.${hashed(newest.sign, signed, 32)}`;
    },

    open(value) {
      if (value.length > MAX_COOKIE_LENGTH) return undefined;
      const known = opened.get(value);
      if (known !== undefined) return known;
      const found = verify(value);
      // Only what was signed here: nobody can wash out what others need.
      if (found !== undefined) opened.set(value, found);
      return found;
    },
  };
}

const RANDOM_BYTES = 24;
const pool = Buffer.alloc(RANDOM_BYTES * 128);
let used = pool.length;

/** Random bytes are dear one by one. Each is used once, and wiped. */
function randomText(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const text = pool.toString('base64url', used, used + RANDOM_BYTES);
  pool.fill(0, used, used + RANDOM_BYTES);
  used += RANDOM_BYTES;
  return text;
}

function hashed(key: KeyObject, text: string, bytes: number): string {
  return createHmac('sha256', key).update(text).digest().toString('base64url', 0, bytes);
}

function isSigned(keys: readonly DerivedKeys[], text: string, signature: string): boolean {
  const given = Buffer.from(signature, 'base64url');
  return keys.some(({ sign }) => {
    const right = createHmac('sha256', sign).update(text).digest();
    return given.length === right.length && timingSafeEqual(given, right);
  });
}
