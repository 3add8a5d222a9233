import type { NextFunction, Request, RequestHandler } from 'express';
import { facts } from '@signalbox/context';
import {
  refuseUnknownOptions,
  requireBoolean,
  requireFunction,
  requireObject,
  requireOneOf,
  wrongOption,
} from '@signalbox/options';
import { bearerCredential } from './authorization-field.js';
import { foundNobody, whyNobody } from './doubt.js';
import type { Authenticated, AuthenticationMethod, MethodOutcome } from './methods.js';
import { ConflictingCredentialsError } from './refusals.js';
import type { StoreDownPolicy, VerifyOptions } from './tokens-interface.js';

declare global {
  // oxlint-disable-next-line typescript/no-namespace -- how Express lets its types be augmented
  namespace Express {
    interface Request {
      /** Who asks. Set by `authenticate()`; `undefined` for nobody, where that is allowed. */
      auth?: Authenticated | undefined;
    }
  }
}

/** Options of {@link authenticate}. */
export interface AuthenticateOptions {
  /**
   * Lets requests without a credential pass, without `req.auth`. One that is not valid is refused nevertheless.
   * @default false
   */
  optional?: boolean | undefined;
  /**
   * On these routes, instead of what tokens and keys were made with: `'open'` lets tokens pass whose revocation cannot
   * be looked up, and keys that were seen lately.
   */
  onStoreDown?: StoreDownPolicy | undefined;
}

/**
 * Finds out who asks, by whatever they bring: `req.auth` is one principal, also where a token and a session come
 * together. Of several the first method in the list gives it.
 *
 * A credential that is present but not valid is 401 and is not passed over for another; two that name different subjects
 * are 401; none at all is 401 with a bare `WWW-Authenticate: Bearer` (RFC 6750 section 3). Schemes other than `Bearer`
 * are left to others.
 *
 * Everything is verified and every store is asked before it returns, so that within `inParallel` it shares its round
 * trip with limits and sessions.
 *
 * @throws {TypeError} when an option is wrong, at construction
 *
 * @example
 * app.use('/api', authenticate([bearer(tokens), apiKey(keys), session((req) => req.session?.userId)]));
 */
export function authenticate(
  methods: readonly AuthenticationMethod[],
  options: AuthenticateOptions = {},
): RequestHandler {
  const settings = resolveOptions(methods, options);
  const { list, bearerMethod, verifyOptions } = settings;
  const readsAuthorization = bearerMethod !== undefined;

  /** The method that is to judge what stands behind `Bearer`. */
  function judgeOf(credential: string): AuthenticationMethod | undefined {
    for (const method of list) {
      if (method.claims?.(credential) === true) return method;
    }
    return bearerMethod;
  }

  return function authenticateMiddleware(req, res, next) {
    let first: MethodOutcome;
    let others: MethodOutcome[] | undefined;
    try {
      const credential = readsAuthorization ? bearerCredential(req) : undefined;
      const judge = credential === undefined ? undefined : judgeOf(credential);
      for (const method of list) {
        const outcome = method.start(req, res, method === judge ? credential : undefined, verifyOptions);
        if (outcome === undefined) continue;
        if (first === undefined) first = outcome;
        else (others ??= []).push(outcome);
      }
    } catch (error) {
      abandon(first);
      others?.forEach(abandon);
      return next(error);
    }
    if (others === undefined && !(first instanceof Promise)) conclude(req, next, first, settings);
    else void awaitOutcomes(req, next, first, others, settings);
  };
}

/** One after the other, so that the first in the list decides, whichever is known first. */
async function awaitOutcomes(
  req: Request,
  next: NextFunction,
  first: MethodOutcome,
  others: readonly MethodOutcome[] | undefined,
  settings: Settings,
): Promise<void> {
  others?.forEach(abandon);
  let principal: Authenticated | undefined;
  try {
    principal = await first;
    if (others !== undefined) {
      for (const outcome of others) principal = agreed(principal, await outcome);
    }
  } catch (error) {
    return next(error);
  }
  conclude(req, next, principal, settings);
}

function agreed(one: Authenticated | undefined, other: Authenticated | undefined): Authenticated | undefined {
  if (one !== undefined && other !== undefined && one.subject !== other.subject) {
    throw new ConflictingCredentialsError();
  }
  return one ?? other;
}

function conclude(
  req: Request,
  next: NextFunction,
  principal: Authenticated | undefined,
  { list, optional }: Settings,
): void {
  req.auth = principal;
  if (principal !== undefined) facts(req).userId = principal.subject;
  else if (optional) foundNobody(req, list);
  else return next(whyNobody(req, list));
  next();
}

interface Settings {
  readonly list: readonly AuthenticationMethod[];
  /** Which one judges what stands behind `Bearer` and is claimed by none. */
  readonly bearerMethod: AuthenticationMethod | undefined;
  readonly optional: boolean;
  readonly verifyOptions: VerifyOptions;
}

/** Its failure is not waited for, and must not be taken for one that nobody handles. */
function abandon(outcome: MethodOutcome): void {
  if (outcome instanceof Promise) outcome.catch(() => undefined);
}

function resolveOptions(methods: readonly AuthenticationMethod[], options: AuthenticateOptions): Settings {
  if (!Array.isArray(methods) || methods.length === 0) {
    throw wrongOption('authenticate', 'methods', 'a list of bearer(), apiKey() and session()', methods);
  }
  const list: readonly AuthenticationMethod[] = [...methods];
  for (const [index, method] of list.entries()) {
    const place = `methods[${index}]`;
    requireObject('authenticate', place, method);
    requireFunction('authenticate', `${place}.start`, method.start);
    if (list.findIndex(({ method: kind }) => kind === method.method) !== index) {
      throw wrongOption('authenticate', place, 'of another kind than those before', method.method);
    }
  }
  requireObject('authenticate', 'options', options);
  refuseUnknownOptions('authenticate', options, ['optional', 'onStoreDown']);
  const { optional = false, onStoreDown } = options;
  requireBoolean('authenticate', 'optional', optional);
  if (onStoreDown !== undefined) {
    requireOneOf('authenticate', 'onStoreDown', onStoreDown, ['closed', 'open']);
  }

  const find = (kind: string): AuthenticationMethod | undefined => list.find(({ method }) => method === kind);
  return {
    list,
    bearerMethod: find('token') ?? find('api_key'),
    optional,
    verifyOptions: onStoreDown === undefined ? {} : { onStoreDown },
  };
}
