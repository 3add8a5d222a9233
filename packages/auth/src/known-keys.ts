import { LRUCache } from 'lru-cache';
import type { GuardedStore } from './guarded-key-store.js';
import type { KeyStore } from './key-store.js';
import type { StoreDownPolicy } from './tokens-interface.js';
import { verifiedKeyOf, type VerifiedKey } from './verified-key.js';

/** A key as it was found in the store. */
export class KnownKey {
  constructor(
    readonly principal: VerifiedKey,
    readonly hash: string,
    readonly seenAtMs: number,
    /** When it was last noted as used. */
    public touchedAtMs: number,
    /** Whether the store was asked to replace the hash, which is of an older secret. */
    public isRehashed = false,
  ) {}
}

export interface KnownKeysOptions {
  readonly store: KeyStore;
  readonly guarded: GuardedStore;
  readonly cacheSize: number;
  readonly cacheMs: number;
  readonly staleMs: number;
}

/** The keys of the store, those of the last seconds without asking. Each is asked for once at a time. */
export class KnownKeys {
  private readonly cache: LRUCache<string, KnownKey>;
  private readonly lookups = new Map<string, Promise<KnownKey | undefined>>();

  constructor(private readonly options: KnownKeysOptions) {
    this.cache = new LRUCache({ max: options.cacheSize });
  }

  /** @throws {KeyStoreUnavailableError} or rejects with it */
  find(id: string, nowMs: number, policy: StoreDownPolicy): Answer {
    const cached = this.cache.get(id);
    // A clock that was set back makes nothing fresh for longer.
    if (cached !== undefined && Math.abs(nowMs - cached.seenAtMs) < this.options.cacheMs) return cached;

    const running = this.lookups.get(id);
    if (running !== undefined) return this.orStale(running, cached, nowMs, policy);
    const { store, guarded } = this.options;
    let answer: ReturnType<KeyStore['find']>;
    try {
      answer = guarded.ask(() => store.find(id));
    } catch (error) {
      return this.stale(cached, nowMs, policy, error);
    }
    if (!(answer instanceof Promise)) return this.keep(id, answer, nowMs);

    const lookup: Promise<KnownKey | undefined> = answer
      .then((stored) => {
        // Forgotten meanwhile: what was read may be older than the revocation.
        const isCurrent = this.lookups.get(id) === lookup;
        return isCurrent ? this.keep(id, stored, nowMs) : knownKeyOf(stored, nowMs);
      })
      .finally(() => {
        if (this.lookups.get(id) === lookup) this.lookups.delete(id);
      });
    this.lookups.set(id, lookup);
    return this.orStale(lookup, cached, nowMs, policy);
  }

  forget(id: string): void {
    this.cache.delete(id);
    this.lookups.delete(id);
  }

  forgetSubject(subject: string): void {
    for (const [id, { principal }] of this.cache.entries()) {
      if (principal.subject === subject) this.cache.delete(id);
    }
    // Whose keys are being looked up is not known yet.
    this.lookups.clear();
  }

  private keep(id: string, stored: Stored, nowMs: number): KnownKey | undefined {
    const known = knownKeyOf(stored, nowMs);
    if (known === undefined) {
      this.cache.delete(id);
      return undefined;
    }
    const touchedAtMs = this.cache.get(id)?.touchedAtMs ?? known.touchedAtMs;
    known.touchedAtMs = Math.max(known.touchedAtMs, touchedAtMs);
    this.cache.set(id, known);
    return known;
  }

  private async orStale(
    lookup: Promise<KnownKey | undefined>,
    cached: KnownKey | undefined,
    nowMs: number,
    policy: StoreDownPolicy,
  ): Promise<KnownKey | undefined> {
    try {
      return await lookup;
    } catch (error) {
      return this.stale(cached, nowMs, policy, error);
    }
  }

  private stale(
    cached: KnownKey | undefined,
    nowMs: number,
    policy: StoreDownPolicy,
    error: unknown,
  ): KnownKey {
    const isUsable = cached !== undefined && nowMs - cached.seenAtMs < this.options.staleMs;
    // One that was revoked while the store was asked is not in the cache any more.
    if (policy === 'open' && isUsable && this.cache.has(cached.principal.id)) return cached;
    throw error;
  }
}

type Stored = Awaited<ReturnType<KeyStore['find']>>;
type Answer = KnownKey | undefined | Promise<KnownKey | undefined>;

function knownKeyOf(stored: Stored, nowMs: number): KnownKey | undefined {
  // A store may say null, as databases do.
  if (!stored) return undefined;
  return new KnownKey(verifiedKeyOf(stored), stored.hash, nowMs, stored.lastUsedAt?.getTime() ?? 0);
}
