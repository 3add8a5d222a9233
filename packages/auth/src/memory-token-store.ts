import { LRUCache } from 'lru-cache';
import { refuseUnknownOptions, requireFunction, requireInteger, requireObject } from '@signalbox/options';
import { answersInTime } from './bounded-token-store.js';
import type { Rotated, TokenStore } from './token-store.js';

export interface MemoryTokenStoreOptions {
  /**
   * How many sign-ins, and how many revocations, are kept. An integer of at least 4.
   * @default 100_000
   */
  maxEntries?: number | undefined;
  /**
   * The clock, in milliseconds since 1970.
   * @default Date.now
   */
  now?: (() => number) | undefined;
}

interface Entry<Value> {
  readonly value: Value;
  readonly expiresAtMs: number;
}

/** Until when what was issued is refused. */
interface Revocation {
  readonly atMs: number;
  /** Of a subject: until when refresh tokens are, too. */
  readonly signInsAtMs: number;
}

/**
 * Keeps refresh tokens and revocations in this process. For one process, and for tests.
 *
 * Memory is bounded, and what does not fit is forgotten on the safe side: of sign-ins the one that was not refreshed
 * for longest has to sign in again, and when a revocation has to go, so does every token that is as old as it.
 *
 * @throws {TypeError} when an option is out of range
 */
export function memoryTokenStore(options: MemoryTokenStoreOptions = {}): TokenStore {
  requireObject('memoryTokenStore', 'options', options);
  refuseUnknownOptions('memoryTokenStore', options, ['maxEntries', 'now']);
  const { maxEntries = 100_000, now = Date.now } = options;
  requireInteger('memoryTokenStore', 'maxEntries', maxEntries, 4);
  requireFunction('memoryTokenStore', 'now', now);

  /** What was issued until then is refused, since it is not known any more whether it was revoked. */
  let floorMs = -1;

  const raiseFloor = ({ value, expiresAtMs }: Entry<Revocation>, reason: string): void => {
    if (reason === 'evict' && expiresAtMs > now()) floorMs = Math.max(floorMs, value.atMs);
  };
  const table = <Value>(): Table<Value> => new LRUCache({ maxSize: maxEntries, sizeCalculation: one });
  const revocations = (): Table<Revocation> =>
    new LRUCache({
      maxSize: maxEntries,
      sizeCalculation: one,
      dispose: (entry, _key, reason) => raiseFloor(entry, reason),
    });

  /** The current refresh token of each chain. */
  const chains = table<string>();
  const successors = table<{ issuedAtMs: number; successor: string }>();
  const marks = revocations();
  const gone = revocations();

  function get<Value>(from: Table<Value>, key: string): Value | undefined {
    const entry = from.get(key);
    if (entry === undefined) return undefined;
    if (entry.expiresAtMs > now()) return entry.value;
    from.delete(key);
    return undefined;
  }

  function set<Value>(to: Table<Value>, key: string, value: Value, ttlMs: number): void {
    to.set(key, { value, expiresAtMs: now() + ttlMs });
  }

  const markOf = (subject: string): number => Math.max(get(marks, subject)?.atMs ?? -1, floorMs);
  const signInsMarkOf = (subject: string): number =>
    Math.max(get(marks, subject)?.signInsAtMs ?? -1, floorMs);
  const issueTime = (subject: string): number => Math.max(now(), markOf(subject) + 1);
  /** The name of a token by another issuer says nothing without the subject. */
  const keyOf = (subject: string, id: string): string => `${id} ${subject}`;

  function refuse(subject: string, familyOrId: string, ttlMs: number): void {
    const atMs = issueTime(subject);
    set(gone, keyOf(subject, familyOrId), { atMs, signInsAtMs: atMs }, ttlMs);
  }

  const isGone = (subject: string, familyOrId: string | undefined): boolean =>
    familyOrId !== undefined && get(gone, keyOf(subject, familyOrId)) !== undefined;

  return answersInTime({
    async open(subject, chain, id, ttlMs) {
      set(chains, keyOf(subject, chain), id, ttlMs);
      return issueTime(subject);
    },

    async rotate(rotation): Promise<Rotated> {
      const { subject, chain, family, id, issuedAtMs, graceMs } = rotation;
      const key = keyOf(subject, chain);
      const current = get(chains, key);
      if (current === undefined || isGone(subject, family) || issuedAtMs <= signInsMarkOf(subject)) {
        return { outcome: 'revoked' };
      }
      if (current === id) {
        const kept = { issuedAtMs: issueTime(subject), successor: rotation.successor };
        set(chains, key, rotation.successorId, rotation.ttlMs);
        if (graceMs > 0) set(successors, keyOf(subject, id), kept, graceMs);
        return { outcome: 'rotated', ...kept };
      }
      const kept = get(successors, keyOf(subject, id));
      if (kept !== undefined) {
        if (kept.issuedAtMs > markOf(subject)) return { outcome: 'repeated', ...kept };
        return { outcome: 'renewed', issuedAtMs: issueTime(subject), successor: kept.successor };
      }
      refuse(subject, family, rotation.goneMs);
      return { outcome: 'reused' };
    },

    async revoke(subject, familyOrId, ttlMs) {
      refuse(subject, familyOrId, ttlMs);
    },

    async revokeSubject(subject, keepsSignIns, ttlMs) {
      const atMs = issueTime(subject);
      set(marks, subject, { atMs, signInsAtMs: keepsSignIns ? signInsMarkOf(subject) : atMs }, ttlMs);
      return atMs;
    },

    isRevoked({ subject, id, family, issuedAtMs }) {
      return issuedAtMs <= markOf(subject) || isGone(subject, family ?? id);
    },
  });
}

/** Room is taken as it is needed: with `max` the cache would take all of it at once. */
const one = (): number => 1;

type Table<Value> = LRUCache<string, Entry<Value>>;
