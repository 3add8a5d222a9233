import { hkdfSync } from 'node:crypto';
import {
  refuseUnknownOptions,
  requireObject,
  requireOneOf,
  requireSecrets,
  wrongSecret,
  type Secret,
  type Secrets,
} from '@signalbox/options';
import type { Algorithm } from './algorithms.js';
import type { KeyEntry } from './key-entry.js';

export interface SecretKeysOptions {
  /** @default 'HS256' */
  alg?: 'HS256' | 'HS384' | 'HS512' | undefined;
}

export interface PemKeysOptions {
  /**
   * For RSA keys, which do not say.
   * @default 'RS256'
   */
  alg?: Algorithm | undefined;
}

/**
 * Keys for {@link keyRing} of an app's secrets, newest first. The key is derived (RFC 5869), so that the secret may
 * serve other purposes, too; its name is derived as well, and says nothing of it.
 *
 * @throws {TypeError} when there is none, or one has less than 32 bytes
 */
export function secretKeys(secrets: Secrets, options: SecretKeysOptions = {}): KeyEntry[] {
  requireObject('secretKeys', 'options', options);
  refuseUnknownOptions('secretKeys', options, ['alg']);
  const { alg = 'HS256' } = options;
  requireOneOf('secretKeys', 'alg', alg, ['HS256', 'HS384', 'HS512']);
  return requireSecrets('secretKeys', 'secrets', secrets).map((secret) => ({
    kid: derive(secret, `key-id:${alg}`, 12).toString('base64url'),
    alg,
    secret: derive(secret, `tokens:${alg}`, Number(alg.slice(2)) / 8),
  }));
}

/**
 * Keys for {@link keyRing} of private keys as PEM, newest first: RSA, EC (P-256, P-384, P-521), Ed25519 or Ed448.
 *
 * @throws {TypeError} when there is none
 */
export function pemKeys(
  pems: string | Uint8Array | readonly (string | Uint8Array)[],
  options: PemKeysOptions = {},
): KeyEntry[] {
  requireObject('pemKeys', 'options', options);
  refuseUnknownOptions('pemKeys', options, ['alg']);
  return listOf(pems).map((privateKey) => ({ privateKey, alg: options.alg }));
}

function derive(secret: Secret, purpose: string, bytes: number): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `signalbox:auth:${purpose}`, bytes));
}

function listOf(pems: unknown): (string | Uint8Array)[] {
  const list: unknown[] = Array.isArray(pems) ? pems : [pems];
  const isText = (each: unknown): each is string | Uint8Array =>
    typeof each === 'string' || each instanceof Uint8Array;
  if (list.length > 0 && list.every(isText)) return list;
  throw wrongSecret('pemKeys', 'pems', 'text or bytes, or a list of such', pems);
}
