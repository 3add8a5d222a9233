import { clientAddress, facts } from '@signalbox/context';
import {
  refuseUnknownOptions,
  requireBoolean,
  requireFunction,
  requireInteger,
  requireObject,
  requireOneOf,
  requireStore,
  requireTokens,
  type Secrets,
} from '@signalbox/options';
import type { Request } from 'express';
import { randomBytes } from 'node:crypto';
import { derivedKeys } from './derived-keys.js';
import type { IdempotencyStore } from './idempotency-store.js';
import { memoryIdempotencyStore } from './memory-idempotency-store.js';

/** Options of {@link idempotency}. */
export interface IdempotencyOptions {
  /** @default memoryIdempotencyStore() */
  store?: IdempotencyStore | undefined;
  /**
   * Keys stand in the store as hashes made with the newest of these. Needed for a store that processes share;
   * by default one of this process.
   */
  secrets?: Secrets | undefined;
  /**
   * How long an answer can be had again.
   * @default 86_400
   */
  ttlSeconds?: number | undefined;
  /**
   * How long a request may take. A try that has not ended by then counts as gone, and the next one begins anew.
   * @default 60
   */
  lockSeconds?: number | undefined;
  /**
   * How long a repetition waits for the first request before it is refused.
   * @default 0
   */
  waitMs?: number | undefined;
  /**
   * Whether a request without a key is refused.
   * @default false
   */
  required?: boolean | undefined;
  /** @default ['POST', 'PATCH'] */
  methods?: readonly string[] | undefined;
  /**
   * Whose key it is: two callers may use the same one.
   * @default `req.auth.subject` or `req.auth.sub`, else whose session it is (`facts(req).userId`), else `req.user.id` or
   *   `req.user.sub`, else the address
   */
  scope?: ((req: Request) => string) | undefined;
  /**
   * Header fields that are kept with an answer besides those that describe its content.
   * @default []
   */
  headers?: readonly string[] | undefined;
  /**
   * Longer answers are not kept; a repetition then learns only that it was done.
   * @default 262_144
   */
  maxBytes?: number | undefined;
  /**
   * With the store gone, requests that carry a key are refused (`closed`), or run without protection (`open`).
   * @default 'closed'
   */
  onStoreDown?: 'closed' | 'open' | undefined;
}

/** With nothing left out. */
export interface ResolvedIdempotency {
  store: IdempotencyStore;
  key: Buffer;
  ttlSeconds: number;
  lockSeconds: number;
  waitMs: number;
  required: boolean;
  methods: ReadonlySet<string>;
  scope: (req: Request) => string;
  headers: readonly string[];
  maxBytes: number;
  onStoreDown: 'closed' | 'open';
}

const KNOWN = [
  'store',
  'secrets',
  'ttlSeconds',
  'lockSeconds',
  'waitMs',
  'required',
  'methods',
  'scope',
  'headers',
  'maxBytes',
  'onStoreDown',
];

const STORE_METHODS: readonly (keyof IdempotencyStore)[] = ['begin', 'finish', 'release'];

/** What describes the content, or where it is. Never cookies, nor what belongs to one request. */
const CONTENT_FIELDS = [
  'Content-Type',
  'Content-Language',
  'Content-Encoding',
  'Content-Disposition',
  'Content-Location',
  'Cache-Control',
  'ETag',
  'Last-Modified',
  'Link',
  'Location',
];

/** Fills in the defaults, or throws a `TypeError` naming the bad option. */
export function resolveIdempotencyOptions(options: IdempotencyOptions): ResolvedIdempotency {
  requireObject('idempotency', 'options', options);
  refuseUnknownOptions('idempotency', options, KNOWN);
  const {
    store = memoryIdempotencyStore(),
    secrets,
    ttlSeconds = 86_400,
    lockSeconds = 60,
    waitMs = 0,
    required = false,
    methods = ['POST', 'PATCH'],
    scope = principalOrAddress,
    headers = [],
    maxBytes = 262_144,
    onStoreDown = 'closed',
  } = options;

  requireStore('idempotency', store, STORE_METHODS, ['memoryIdempotencyStore', 'redisIdempotencyStore']);
  requireInteger('idempotency', 'ttlSeconds', ttlSeconds, 1, 31_536_000);
  requireInteger('idempotency', 'lockSeconds', lockSeconds, 1, 86_400);
  requireInteger('idempotency', 'waitMs', waitMs, 0, 60_000);
  requireBoolean('idempotency', 'required', required);
  requireTokens('idempotency', 'methods', methods, 'methods');
  requireFunction('idempotency', 'scope', scope);
  requireTokens('idempotency', 'headers', headers, 'header names');
  if (headers.some((name) => /^set-cookie2?$/i.test(name))) {
    throw new TypeError('idempotency: "headers" must not have Set-Cookie: a cookie is given out once');
  }
  requireInteger('idempotency', 'maxBytes', maxBytes, 0);
  requireOneOf('idempotency', 'onStoreDown', onStoreDown, ['closed', 'open']);
  if (store.shared && secrets === undefined) {
    throw new TypeError('idempotency: "secrets" must be given where processes share the store');
  }
  return {
    store,
    key: secrets === undefined ? randomBytes(32) : derivedKeys('idempotency', secrets, 'idempotency')[0],
    ttlSeconds,
    lockSeconds,
    waitMs,
    required,
    methods: new Set(methods.map((method) => method.toUpperCase())),
    scope,
    headers: [...CONTENT_FIELDS, ...headers],
    maxBytes,
    onStoreDown,
  };
}

interface Subject {
  subject?: unknown;
  sub?: unknown;
  id?: unknown;
}

/** An address is that of many, such as of all in an office: who has signed in by whatever way has keys of their own. */
function principalOrAddress(req: Request): string {
  const { auth, user } = req as { auth?: Subject | null; user?: Subject | null };
  // `sub`: the claims of a token, as express-jwt and Passport's strategies for OpenID leave them.
  for (const subject of [auth?.subject, auth?.sub, facts(req).userId, user?.id, user?.sub]) {
    const isSaid = typeof subject === 'number' || (typeof subject === 'string' && subject !== '');
    if (isSaid) return `subject:${subject}`;
  }
  return `address:${clientAddress(req) ?? req.ip ?? ''}`;
}
