import type { Request, RequestHandler, Response } from 'express';
import {
  refuseUnknownOptions,
  requireFunction,
  requireObject,
  requireToken,
  wrongOption,
} from '@signalbox/options';
import type { ApiKeys } from './api-keys.js';
import { TokenError } from './errors.js';
import type { AuthMethod, VerifiedToken } from './principal.js';
import { ConflictingCredentialsError } from './refusals.js';
import { runMiddleware } from './run-middleware.js';
import { sessionPrincipal, type SessionPrincipal, type SessionUser } from './session-principal.js';
import { isThenable } from './thenable.js';
import type { Tokens, VerifyOptions } from './tokens-interface.js';
import type { VerifiedKey } from './verified-key.js';

/** Who asks, by what they came by: `method` tells which. */
export type Authenticated = VerifiedToken | VerifiedKey | SessionPrincipal;

/** What a method made of a request: somebody, nobody, or not known yet. */
export type MethodOutcome = Authenticated | undefined | Promise<Authenticated | undefined>;

/** A way to authenticate: {@link bearer}, {@link apiKey} or {@link session}. */
export interface AuthenticationMethod {
  readonly method: AuthMethod;
  /** Whether the credential behind `Authorization: Bearer` is one of this kind. */
  readonly claims?: ((credential: string) => boolean) | undefined;
  /**
   * Begins to judge what the request brings; nobody where it brings nothing of this kind. Whatever asks a store
   * asks before this returns.
   *
   * @param credential what stands behind `Authorization: Bearer`, where that is for this method
   */
  readonly start: (
    req: Request,
    res: Response,
    credential: string | undefined,
    options: VerifyOptions,
  ) => MethodOutcome;
  /** Where nobody was found: why that may be wrong, such as a store that does not answer. */
  readonly doubt?: ((req: Request, res: Response) => Error | undefined) | undefined;
}

/**
 * `Authorization: Bearer <token>` (RFC 6750 section 2.1), by the app's {@link Tokens}.
 *
 * @throws {TypeError} when `tokens` are none
 */
export function bearer(tokens: Pick<Tokens, 'check' | 'revocation' | 'verify'>): AuthenticationMethod {
  requireObject('bearer', 'tokens', tokens);
  for (const name of ['check', 'revocation', 'verify'] as const) {
    requireFunction('bearer', `tokens.${name}`, tokens[name]);
  }

  return {
    method: 'token',

    start(_req, _res, credential, options) {
      if (credential === undefined) return undefined;
      let token: VerifiedToken;
      try {
        token = tokens.check(credential);
      } catch (error) {
        // The keys of another issuer have to be fetched first.
        if (error instanceof TokenError && error.problem === 'unknown_key') {
          return tokens.verify(credential, options);
        }
        throw error;
      }
      return tokens.revocation(token, options).then(() => token);
    },
  };
}

/** Options of {@link apiKey}. */
export interface ApiKeyOptions {
  /**
   * The header field that keys come in.
   * @default 'X-API-Key'
   */
  header?: string | undefined;
}

/**
 * `X-API-Key: sbx_…`, the field's usual place (`apiKey` in OpenAPI), or `Authorization: Bearer sbx_…`, which every
 * client can send. What begins with the prefix is a key and no token.
 *
 * @throws {TypeError} when `keys` are none, or an option is wrong
 */
export function apiKey(
  keys: Pick<ApiKeys, 'prefix' | 'verify'>,
  options: ApiKeyOptions = {},
): AuthenticationMethod {
  requireObject('apiKey', 'keys', keys);
  requireFunction('apiKey', 'keys.verify', keys.verify);
  requireObject('apiKey', 'options', options);
  refuseUnknownOptions('apiKey', options, ['header']);
  const { header = 'X-API-Key' } = options;
  requireToken('apiKey', 'header', header, 'the name of a header field');
  const field = header.toLowerCase();
  if (field === 'authorization' || field === 'cookie') {
    throw wrongOption(
      'apiKey',
      'header',
      'another than Authorization, which is read anyway, and Cookie',
      header,
    );
  }
  const start = `${keys.prefix}_`;

  return {
    method: 'api_key',
    claims: (credential) => credential.startsWith(start),

    start(req, res, credential, verifyOptions) {
      // No cache in front knows that it says who asks, as of Authorization (RFC 9111 section 3.5).
      res.vary(header);
      const sent = req.headers[field];
      const hasField = sent !== undefined && sent !== '';
      if (!hasField) return credential === undefined ? undefined : keys.verify(credential, verifyOptions);

      // Node joins a field that came twice, which is no key any more.
      const inField = typeof sent === 'string' ? sent : sent.join(', ');
      if (credential !== undefined && credential !== inField) throw new ConflictingCredentialsError();
      return keys.verify(inField, verifyOptions);
    },
  };
}

/** Options of {@link session}. */
export interface SessionMethodOptions {
  /**
   * The middleware that reads the session, such as that of `sessions()`. It is started with everything else that is asked,
   * and `read` is called when it is done: what `authenticate` needs within `inParallel`, where no session is there yet.
   * Where it stands before `authenticate` already, it does nothing.
   *
   * Its `required()`, where it has one, is asked where nobody is signed in: while the store of sessions is gone, that
   * is a 503, and nobody is signed out.
   */
  load?: SessionMiddleware | undefined;
}

/** As `sessions()` returns it. express-session's, or any other that sets what `read` reads, will do. */
export type SessionMiddleware = RequestHandler & { required?: () => RequestHandler };

/** The id of who is signed in, or more of them; `undefined` for nobody. May be a promise. */
export type ReadSession = (req: Request) => SessionResult | PromiseLike<SessionResult>;

/** An id, or more of who it is. */
export type SessionResult = string | SessionUser | null | undefined;

/**
 * The user of a session, which the app's function reads from the request.
 *
 * @throws {TypeError} when `read` is no function, or an option is wrong
 *
 * @example
 * app.use(sessions);
 * app.use(authenticate([session((req) => req.session?.userId)]));
 *
 * @example
 * const signedIn = session((req) => req.session?.userId, { load: sessions });
 * app.use(inParallel(limit, authenticate([bearer(tokens), signedIn])));
 */
export function session(read: ReadSession, options: SessionMethodOptions = {}): AuthenticationMethod {
  requireFunction('session', 'read', read);
  requireObject('session', 'options', options);
  refuseUnknownOptions('session', options, ['load']);
  const { load } = options;
  if (load !== undefined) requireFunction('session', 'load', load);
  const required = load?.required?.();

  function userOf(req: Request): MethodOutcome {
    const user = read(req);
    return isThenable(user) ? Promise.resolve(user).then(sessionPrincipal) : sessionPrincipal(user);
  }

  return {
    method: 'session',

    start(req, res) {
      if (load === undefined) return userOf(req);
      const loading = runMiddleware(load, req, res);
      return loading === undefined ? userOf(req) : loading.then(() => userOf(req));
    },

    doubt(req, res) {
      const error = required === undefined ? undefined : refusalOf(required, req, res);
      return error !== undefined && 'status' in error && Number(error.status) >= 500 ? error : undefined;
    },
  };
}

/** What a middleware that does not wait for anything passes to `next`. */
function refusalOf(middleware: RequestHandler, req: Request, res: Response): Error | undefined {
  let refusal: unknown;
  void middleware(req, res, (error?: unknown) => {
    refusal = error;
  });
  return refusal instanceof Error ? refusal : undefined;
}
