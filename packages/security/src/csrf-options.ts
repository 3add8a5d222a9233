import {
  originList,
  refuseUnknownOptions,
  requireBoolean,
  requireFunction,
  requireObject,
  requireOneOf,
  wrongOption,
  type OriginList,
  type Secrets,
} from '@signalbox/options';
import type { Request } from 'express';
import { derivedKeys } from './derived-keys.js';
import { publicOrigin, type PublicUrl } from './public-origin.js';

/** How the two cookies of {@link csrf} are named and sent. */
export interface CsrfCookieOptions {
  /**
   * Name of the token's cookie. Over https it begins with `__Host-`, which ties it to this host (RFC 6265bis
   * section 4.1.3.2). The other cookie has `-id` behind it.
   * @default 'csrf'
   */
  name?: string | undefined;
  /** @default 'lax' */
  sameSite?: 'lax' | 'strict' | undefined;
}

/** Options of {@link csrf}. */
export interface CsrfOptions {
  /** One secret or several, newest first, of at least 32 bytes. Tokens of all of them are valid. */
  secrets: Secrets;
  /** The app's own URL: what its own pages send as `Origin`. Its scheme decides about `Secure` cookies. */
  publicUrl: PublicUrl;
  /**
   * Other origins whose pages may change things, such as `https://admin.example.com`, `https://*.example.org`.
   * @default []
   */
  origins?: readonly string[] | undefined;
  /** Id of the session, to which tokens are bound; `undefined` before there is one. */
  session?: ((req: Request) => string | undefined) | undefined;
  cookie?: CsrfCookieOptions | undefined;
  /**
   * Refuses `origins` of plain http but for this machine.
   * @default process.env.NODE_ENV === 'production'
   */
  production?: boolean | undefined;
}

export interface ResolvedCsrf {
  /** In hexadecimal: csrf-csrf takes texts. */
  keys: string[];
  ownOrigin: () => string | undefined;
  origins: OriginList;
  session: (req: Request) => string | undefined;
  name: string;
  sameSite: 'lax' | 'strict';
}

const KNOWN = ['secrets', 'publicUrl', 'origins', 'session', 'cookie', 'production'];

/** Fills in the defaults, or throws a `TypeError` naming the bad option. */
export function resolveCsrfOptions(options: CsrfOptions): ResolvedCsrf {
  requireObject('csrf', 'options', options);
  refuseUnknownOptions('csrf', options, KNOWN);
  const {
    secrets,
    publicUrl,
    origins = [],
    session = () => undefined,
    cookie = {},
    production = process.env['NODE_ENV'] === 'production',
  } = options;

  if (!Array.isArray(origins)) throw wrongOption('csrf', 'origins', 'a list of origins', origins);
  requireFunction('csrf', 'session', session);
  requireBoolean('csrf', 'production', production);
  requireObject('csrf', 'cookie', cookie);
  refuseUnknownOptions('csrf: "cookie"', cookie, ['name', 'sameSite']);
  const { name = 'csrf', sameSite = 'lax' } = cookie;
  if (typeof name !== 'string' || !/^[\w-]{1,64}$/.test(name) || name.startsWith('__')) {
    throw wrongOption('csrf', 'cookie.name', 'letters, digits, - and _, and not begin with __', name);
  }
  requireOneOf('csrf', 'cookie.sameSite', sameSite, ['lax', 'strict']);

  return {
    keys: derivedKeys('csrf', secrets, 'csrf').map((key) => key.toString('hex')),
    ownOrigin: publicOrigin('csrf', publicUrl),
    origins: originList(origins, 'csrf: "origins"', production),
    session,
    name,
    sameSite,
  };
}
