import type { StoredKey } from './key-store.js';
import type { Principal } from './principal.js';

/** Who comes with an API key. Shared by requests with the same key, so that it cannot be written to. */
export interface VerifiedKey extends Principal {
  readonly method: 'api_key';
  /** Names the key; no secret. */
  readonly id: string;
  readonly name: string;
  /** Which limits the key has: `plan: (req) => …` of a rate limit. */
  readonly plan: string | undefined;
  /** In milliseconds since 1970; `undefined` for a key that does not expire. */
  readonly expiresAtMs: number | undefined;
}

const NO_CLAIMS = Object.freeze({});

export function verifiedKeyOf({ id, subject, name, scopes, roles, plan, expiresAt }: StoredKey): VerifiedKey {
  return Object.freeze({
    subject,
    method: 'api_key',
    roles: Object.freeze([...roles]),
    scopes: Object.freeze([...scopes]),
    claims: NO_CLAIMS,
    // Nobody signs in with a key.
    authenticatedAtMs: undefined,
    id,
    name,
    plan,
    expiresAtMs: expiresAt?.getTime(),
  });
}
