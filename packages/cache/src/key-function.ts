import { refuseUnknownOptions, requireFunction, requireObject } from '@signalbox/options';
import type { Request } from 'express';

/**
 * What an answer depends on besides the URL, such as a tenant; several things as a list. `undefined`: the request
 * has nothing to do with the cache.
 *
 * It must not be asynchronous, so that the cache can be asked in the turn in which the request comes.
 */
export type KeyFunction = (req: Request) => string | readonly (string | undefined)[] | undefined;

const PERSONAL: unique symbol = Symbol('signalbox.cache.personal');

export interface ByUserOptions {
  /**
   * Who asks. `undefined`: nobody in particular, and the answer is not kept.
   * @default the subject of `req.auth`
   */
  user?: ((req: Request) => string | undefined) | undefined;
}

/** Where `@signalbox/auth` puts who asks. */
type Authenticated = Request & { readonly auth?: { readonly subject?: unknown } | undefined };

/**
 * Keeps answers apart by who asks: what depends on the user may be kept then. Stands behind what finds out who asks.
 *
 * @throws {TypeError} when an option is wrong
 *
 * @example
 * app.get('/orders', cachedRoute(30_000, { key: byUser() }), listOrders);
 */
export function byUser(options: ByUserOptions = {}): KeyFunction {
  requireObject('byUser', 'options', options);
  refuseUnknownOptions('byUser', options, ['user']);
  const { user = subjectOf } = options;
  requireFunction('byUser', 'user', user);

  function userKey(req: Request): string | undefined {
    const who: unknown = user(req);
    return typeof who === 'string' && who !== '' ? `user ${who}` : undefined;
  }
  return Object.assign(userKey, { [PERSONAL]: true });
}

function subjectOf(req: Authenticated): string | undefined {
  const subject = req.auth?.subject;
  return typeof subject === 'string' ? subject : undefined;
}

/** Whether a key function tells users apart. */
export function isPersonal(key: KeyFunction | undefined): boolean {
  return key !== undefined && PERSONAL in key;
}
