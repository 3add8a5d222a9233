/** What a store says when a request begins. */
export type Begun =
  /** Nobody has begun it: the caller holds it now. */
  | { state: 'claimed' }
  /** Somebody is at it. */
  | { state: 'running'; fingerprint: string }
  /** It was done, and this was the answer. */
  | { state: 'done'; fingerprint: string; answer: string };

/** Who begins what. */
export interface Claim {
  /** A digest of the request, to tell a repetition from another request under the same key. */
  fingerprint: string;
  /** A name of this one try. */
  holder: string;
  /** When the claim ends by itself, should its holder be gone. */
  lockSeconds: number;
}

/**
 * Where answers are kept by idempotency key. `begin` is atomic: of any number of callers with one id, one has
 * `claimed` until its claim is finished, released or over. What is finished stays for its time and changes no more.
 */
export interface IdempotencyStore {
  /** Whether other processes see it too: ids then have to be made with a common secret. */
  readonly shared: boolean;
  begin(id: string, claim: Claim): Promise<Begun>;
  /** Keeps the answer for `ttlSeconds`, if `holder` still has the claim. Resolves to whether it had. */
  finish(id: string, holder: string, answer: string, ttlSeconds: number): Promise<boolean>;
  /** Gives the claim up, if `holder` still has it, so that the next try begins anew. */
  release(id: string, holder: string): Promise<void>;
}
