import { redisLink, requirePrefix, type RedisReply, type RedisSource } from '@signalbox/redis';
import { refuseUnknownOptions, requireObject, requireSecret, type Secret } from '@signalbox/options';
import { answersInTime } from './bounded-token-store.js';
import { keyHasher } from './key-hash.js';
import type { VerifiedToken } from './principal.js';
import { OPEN_SCRIPT, REVOKE_SUBJECT_SCRIPT, ROTATE_SCRIPT } from './token-scripts.js';
import type { Rotated, TokenStore } from './token-store.js';

export interface RedisTokenStoreOptions {
  /**
   * What all keys begin with. Without braces, since those make Redis Cluster's hash tags.
   * @default 'signalbox:auth:'
   */
  prefix?: string | undefined;
  /**
   * Keys the hashes that stand in Redis for subjects, so that nobody can find them by trying. At least 32 bytes.
   * With another secret, what was revoked and all refresh tokens are unknown.
   */
  secret?: Secret | undefined;
}

/**
 * Keeps refresh tokens and revocations in Redis, shared by all processes. Needs Redis 5 or later.
 *
 * All keys of a subject share a hash tag, so that each step is one command on a Redis Cluster, too.
 *
 * @throws {TypeError} when an option is wrong
 *
 * @example
 * const store = redisTokenStore(new Redis(process.env.REDIS_URL));
 */
export function redisTokenStore(source: RedisSource, options: RedisTokenStoreOptions = {}): TokenStore {
  const link = redisLink(source);
  requireObject('redisTokenStore', 'options', options);
  refuseUnknownOptions('redisTokenStore', options, ['prefix', 'secret']);
  const { prefix = 'signalbox:auth:', secret } = options;
  requirePrefix('redisTokenStore', prefix);
  if (secret !== undefined) requireSecret('redisTokenStore', 'secret', secret);

  const hashOf = keyHasher(secret);
  const open = link.script('token-open', OPEN_SCRIPT);
  const rotate = link.script('token-rotate', ROTATE_SCRIPT, { decode: readRotated });
  const revokeSubject = link.script('token-revoke-all', REVOKE_SUBJECT_SCRIPT);

  const keyOf = (subject: string, kind: 'mark' | 'chain' | 'next' | 'gone', id?: string): string =>
    `${prefix}{${hashOf(subject)}}:${kind}${id === undefined ? '' : `:${hashOf(id)}`}`;

  /** A token that is remembered is asked for at each request. */
  const asked = new WeakMap<VerifiedToken, readonly string[]>();

  function keysToAsk(token: VerifiedToken): readonly string[] {
    const known = asked.get(token);
    if (known !== undefined) return known;
    const { subject, id, family } = token;
    const keys = [keyOf(subject, 'mark')];
    if ((family ?? id) !== undefined) keys.push(keyOf(subject, 'gone', family ?? id));
    asked.set(token, keys);
    return keys;
  }

  return answersInTime({
    async open(subject, chain, id, ttlMs) {
      return Number(await open([keyOf(subject, 'mark'), keyOf(subject, 'chain', chain)], [id, ttlMs]));
    },

    rotate(rotation) {
      const { subject, chain, family, id, issuedAtMs, successorId, successor } = rotation;
      const { graceMs, ttlMs, goneMs } = rotation;
      const keys = [
        keyOf(subject, 'mark'),
        keyOf(subject, 'chain', chain),
        keyOf(subject, 'next', id),
        keyOf(subject, 'gone', family),
      ];
      return rotate(keys, [id, issuedAtMs, successorId, successor, graceMs, ttlMs, goneMs]);
    },

    async revoke(subject, familyOrId, ttlMs) {
      await link.command('set', keyOf(subject, 'gone', familyOrId), '1', 'PX', ttlMs);
    },

    async revokeSubject(subject, keepsSignIns, ttlMs) {
      return Number(await revokeSubject([keyOf(subject, 'mark')], [ttlMs, keepsSignIns ? 'keep' : 'end']));
    },

    isRevoked(token) {
      const { issuedAtMs } = token;
      return link.command('mget', ...keysToAsk(token)).then((reply) => isRevokedBy(reply, issuedAtMs));
    },

    async probe() {
      await link.command('mget', `${prefix}{probe}:mark`);
    },
  });
}

function isRevokedBy(reply: RedisReply, issuedAtMs: number): boolean {
  const [marks, gone = null] = reply as [string | null, (string | null)?];
  return gone !== null || (marks !== null && issuedAtMs <= Number(marks.slice(marks.indexOf(' ') + 1)));
}

/** `decode` gets text as bytes. */
function readRotated(reply: RedisReply): Rotated {
  const [outcome, kept = ''] = (reply as RedisReply[]).map(String) as [Rotated['outcome'], string?];
  if (outcome === 'reused' || outcome === 'revoked') return { outcome };
  const blank = kept.indexOf(' ');
  return { outcome, issuedAtMs: Number(kept.slice(0, blank)), successor: kept.slice(blank + 1) };
}
