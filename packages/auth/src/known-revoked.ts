import { LRUCache } from 'lru-cache';
import type { VerifiedToken } from './principal.js';
import type { RevocationEvent } from './revocation-event.js';

const MAX_KNOWN = 10_000;

/**
 * What this process has heard to be revoked, so that such tokens are refused without asking, and also while the store is
 * gone and tokens pass unasked. Whoever is not in here has to be asked for: it forgets, and not all is heard.
 */
export interface KnownRevoked {
  add(event: RevocationEvent): void;
  has(token: VerifiedToken): boolean;
}

export function knownRevoked(): KnownRevoked {
  const marks = new LRUCache<string, number>({ maxSize: MAX_KNOWN, sizeCalculation: () => 1 });
  const gone = new LRUCache<string, true>({ maxSize: MAX_KNOWN, sizeCalculation: () => 1 });

  return {
    add({ subject, family, tokenId, untilMs }) {
      const name = family ?? tokenId;
      if (name !== undefined) gone.set(keyOf(subject, name), true);
      else if (untilMs !== undefined) marks.set(subject, Math.max(untilMs, marks.get(subject) ?? 0));
    },

    has({ subject, family, id, issuedAtMs }) {
      if (marks.size > 0 && issuedAtMs <= (marks.get(subject) ?? -1)) return true;
      const name = family ?? id;
      return name !== undefined && gone.size > 0 && gone.has(keyOf(subject, name));
    },
  };
}

/** A name that the app gave to a sign-in says nothing without the subject. */
function keyOf(subject: string, name: string): string {
  return `${name} ${subject}`;
}
