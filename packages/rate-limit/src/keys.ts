import {
  refuseUnknownOptions,
  requireFunction,
  requireInteger,
  requireObject,
  requireToken,
} from '@signalbox/options';
import type { Request } from 'express';
import { LRUCache } from 'lru-cache';
import { networkOf } from './address.js';
import { warnOfForwarding } from './warnings.js';

/**
 * Names the caller that a request is counted for. `undefined`: the limit does not apply to this request.
 *
 * It must not be asynchronous, so that limits and whatever else asks Redis can ask in one round trip.
 */
export type KeyFunction = (req: Request) => string | undefined;

/** What a key function of this package knows besides. */
interface NamedKey extends KeyFunction {
  /** The name of who is meant by a text: an address, an API key, a user's id. */
  readonly [NAME_OF]: (text: string) => string;
  /** What nginx calls it, where it knows it. */
  readonly [IN_NGINX]: string | undefined;
}

const NAME_OF: unique symbol = Symbol('signalbox.rate-limit.name-of');
const IN_NGINX: unique symbol = Symbol('signalbox.rate-limit.in-nginx');

function named(key: KeyFunction, nameOf: (text: string) => string, inNginx?: string): KeyFunction {
  return Object.assign(key, { [NAME_OF]: nameOf, [IN_NGINX]: inNginx }) satisfies NamedKey;
}

export interface ByAddressOptions {
  /**
   * How many bits of an IPv6 address make one caller: 32 to 128. A household or a server rents 56 or 64.
   * @default 56
   */
  ipv6Prefix?: number | undefined;
}

/**
 * By the address of who asks: `req.ip`, so that behind a proxy Express' `trust proxy` must be set. IPv6 is counted by
 * networks, IPv4 inside IPv6 as IPv4.
 *
 * @throws {TypeError} when an option is out of range
 */
export function byAddress(options: ByAddressOptions = {}): KeyFunction {
  requireObject('byAddress', 'options', options);
  refuseUnknownOptions('byAddress', options, ['ipv6Prefix']);
  const { ipv6Prefix = 56 } = options;
  requireInteger('byAddress', 'ipv6Prefix', ipv6Prefix, 32, 128);
  const remembered = new LRUCache<string, string>({ max: 10_000 });

  function nameOf(address: string): string {
    const known = remembered.get(address);
    if (known !== undefined) return known;
    const name = `address:${networkOf(address, ipv6Prefix)}`;
    if (address.length <= 64) remembered.set(address, name);
    return name;
  }

  return named(
    function addressKey(req) {
      const { ip = '' } = req;
      warnOfForwarding(req);
      return remembered.get(ip) ?? nameOf(ip);
    },
    nameOf,
    '$binary_remote_addr',
  );
}

export interface ByHeaderOptions {
  /**
   * By what those are counted who do not send it. `undefined` as its result: not at all.
   * @default byAddress()
   */
  fallback?: KeyFunction | undefined;
}

/**
 * By the value of a header field. Anybody can make one up: count by address as well, or stand behind what
 * checks it.
 *
 * @throws {TypeError} when the name is no header's, or an option is wrong
 */
export function byHeader(name: string, options: ByHeaderOptions = {}): KeyFunction {
  return headerKey('byHeader', name, options);
}

/** By API key, from `X-API-Key` unless told otherwise. As {@link byHeader}. */
export function byApiKey(name: string = 'x-api-key', options: ByHeaderOptions = {}): KeyFunction {
  return headerKey('byApiKey', name, options);
}

function headerKey(owner: string, name: string, options: ByHeaderOptions): KeyFunction {
  requireToken(owner, 'name', name, 'the name of a header field');
  requireObject(owner, 'options', options);
  refuseUnknownOptions(owner, options, ['fallback']);
  const { fallback = byAddress() } = options;
  requireFunction(owner, 'fallback', fallback);
  const field = name.toLowerCase();
  const nameOf = (text: string): string => `${field}:${text}`;

  return named(
    function headerKey(req) {
      const value = req.headers[field];
      if (value === undefined || value === '') return fallback(req);
      return nameOf(typeof value === 'string' ? value : value.join(', '));
    },
    nameOf,
    /^[a-z0-9-]+$/.test(field) ? `$http_${field.replaceAll('-', '_')}` : undefined,
  );
}

/** Where `@signalbox/auth` puts who asks. */
type Authenticated = Request & { readonly auth?: { readonly subject?: unknown } | undefined };

/**
 * By the principal, `req.auth.subject`; by address where nobody is signed in. Stands behind what sets it.
 *
 * @throws {TypeError} when an option is wrong
 */
export function byPrincipal(options: ByHeaderOptions = {}): KeyFunction {
  requireObject('byPrincipal', 'options', options);
  refuseUnknownOptions('byPrincipal', options, ['fallback']);
  const { fallback = byAddress() } = options;
  requireFunction('byPrincipal', 'fallback', fallback);
  const nameOf = (subject: string): string => `principal:${subject}`;

  return named(function principalKey(req) {
    const subject = (req as Authenticated).auth?.subject;
    return typeof subject === 'string' && subject !== '' ? nameOf(subject) : fallback(req);
  }, nameOf);
}

/**
 * By tenant, as the function reads it from the request.
 *
 * @throws {TypeError} when `read` is no function
 *
 * @example
 * byTenant((req) => req.params.tenant)
 */
export function byTenant(read: (req: Request) => string | undefined): KeyFunction {
  requireFunction('byTenant', 'read', read);
  const nameOf = (tenant: string): string => `tenant:${tenant}`;
  return named(function tenantKey(req) {
    const tenant = textOf(read(req));
    return tenant === undefined ? undefined : nameOf(tenant);
  }, nameOf);
}

/**
 * By all of these together: each combination has a count of its own. `undefined` where none of them applies.
 *
 * @throws {TypeError} when there are none, or one is no function
 *
 * @example
 * composite(byTenant(tenantOf), byAddress())
 */
export function composite(...keys: readonly KeyFunction[]): KeyFunction {
  if (keys.length === 0) throw new TypeError('composite: "keys" must be one key function or more, got none');
  for (const [index, key] of keys.entries()) requireFunction('composite', `keys[${index}]`, key);

  return named(
    function compositeKey(req) {
      let name = 'all:';
      let applies = false;
      for (const key of keys) {
        const part = textOf(key(req));
        applies ||= part !== undefined;
        // With its length, so that no two combinations read alike.
        name += part === undefined ? '-' : `${part.length}:${part}`;
      }
      return applies ? name : undefined;
    },
    (text) => text,
  );
}

/** A key function as a zone uses it. */
export interface KeySource {
  readonly read: KeyFunction;
  /** The name of who is meant by a text. */
  readonly nameOf: (text: string) => string;
  readonly inNginx: string | undefined;
}

/**
 * @param place which one it is where there are several: what they name is kept apart, lest somebody who signs in
 *   as `203.0.113.7` use up the count of that address
 */
export function keySourceOf(key: KeyFunction, place: number): KeySource {
  if (isNamed(key)) return { read: key, nameOf: key[NAME_OF], inNginx: key[IN_NGINX] };
  const prefix = place === 0 ? 'key:' : `key${place}:`;
  const nameOf = (text: string): string => prefix + text;
  return {
    read(req) {
      const text = textOf(key(req));
      return text === undefined ? undefined : nameOf(text);
    },
    nameOf,
    inNginx: undefined,
  };
}

function isNamed(key: KeyFunction): key is NamedKey {
  return NAME_OF in key;
}

/**
 * What a key function returned, as text. It may come from a body that nobody has checked, where `["a@b.c"]` stands
 * for `a@b.c`: that must not be a way around the limit.
 *
 * @throws {TypeError} when it is a promise, which is a mistake in the program
 */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (value === undefined || value === null) return undefined;
  if (value instanceof Promise) {
    value.catch(() => undefined);
    throw new TypeError('A key function of a rate limit must return a string or undefined, got a promise');
  }
  try {
    // oxlint-disable-next-line typescript/no-base-to-string -- what the app, too, would make of it
    return String(value);
  } catch {
    // `{"toString": 1}`.
    return 'an object';
  }
}
