import { ServiceUnavailableError } from '@signalbox/errors';
import { refuseUnknownOptions, requireFunction, requireInteger } from '@signalbox/options';
import type { Begun, IdempotencyStore } from './idempotency-store.js';

/** Options of {@link memoryIdempotencyStore}. */
export interface MemoryIdempotencyStoreOptions {
  /**
   * Keys held at once. The answers that were kept longest make room; what is being worked on never does.
   * @default 10_000
   */
  maxKeys?: number | undefined;
  /**
   * Room for all answers together, roughly.
   * @default 33_554_432 (32 MiB)
   */
  maxBytes?: number | undefined;
  /**
   * The time in milliseconds.
   * @default Date.now
   */
  now?: (() => number) | undefined;
}

interface Entry {
  fingerprint: string;
  holder: string;
  answer: string | undefined;
  endsMs: number;
}

/**
 * Keeps answers in this process: for one process, and for tests.
 *
 * @throws {TypeError} when an option is wrong
 */
export function memoryIdempotencyStore(options: MemoryIdempotencyStoreOptions = {}): IdempotencyStore {
  refuseUnknownOptions('memoryIdempotencyStore', options, ['maxKeys', 'maxBytes', 'now']);
  const { maxKeys = 10_000, maxBytes = 33_554_432, now = Date.now } = options;
  requireInteger('memoryIdempotencyStore', 'maxKeys', maxKeys, 1);
  requireInteger('memoryIdempotencyStore', 'maxBytes', maxBytes, 1);
  requireFunction('memoryIdempotencyStore', 'now', now);

  const running = new Map<string, Entry>();
  /** The oldest first, for a Map keeps the order in which they came. */
  const done = new Map<string, Entry>();
  let bytes = 0;

  const forget = (id: string, entry: Entry): void => {
    if (done.delete(id)) bytes -= sizeOf(entry);
    else running.delete(id);
  };
  const find = (id: string): Entry | undefined => {
    const entry = done.get(id) ?? running.get(id);
    if (entry === undefined || entry.endsMs > now()) return entry;
    forget(id, entry);
    return undefined;
  };
  const makeRoom = (): void => {
    for (const [id, entry] of done) {
      if (running.size + done.size < maxKeys && bytes <= maxBytes) return;
      forget(id, entry);
    }
    if (running.size < maxKeys) return;
    for (const [id, entry] of running) if (entry.endsMs <= now()) forget(id, entry);
    if (running.size >= maxKeys) {
      throw new ServiceUnavailableError('Too many requests with an Idempotency-Key are being worked on', {
        code: 'idempotency_unavailable',
        retryAfterSeconds: 1,
      });
    }
  };

  return {
    shared: false,

    async begin(id, { fingerprint, holder, lockSeconds }): Promise<Begun> {
      const found = find(id);
      if (found !== undefined) return begunOf(found);
      makeRoom();
      running.set(id, { fingerprint, holder, answer: undefined, endsMs: now() + lockSeconds * 1_000 });
      return { state: 'claimed' };
    },

    async finish(id, holder, answer, ttlSeconds) {
      const entry = find(id);
      if (entry?.holder !== holder || entry.answer !== undefined) return false;
      running.delete(id);
      const kept: Entry = { ...entry, answer, endsMs: now() + ttlSeconds * 1_000 };
      done.set(id, kept);
      bytes += sizeOf(kept);
      if (bytes > maxBytes) makeRoom();
      return true;
    },

    async release(id, holder) {
      if (running.get(id)?.holder === holder) running.delete(id);
    },
  };
}

function begunOf({ fingerprint, answer }: Entry): Begun {
  return answer === undefined ? { state: 'running', fingerprint } : { state: 'done', fingerprint, answer };
}

function sizeOf({ answer = '' }: Entry): number {
  return answer.length * 2;
}
