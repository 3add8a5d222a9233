import type { IncomingMessage } from 'node:http';
import type { LookupFunction } from 'node:net';
import {
  refuseUnknownOptions,
  requireBoolean,
  requireFunction,
  requireInteger,
  requireNumber,
  requireObject,
  requireText,
} from '@signalbox/options';
import { resolveOptions, type UpstreamOptions, type UpstreamSettings } from './options.js';
import type { CookieOptions } from './proxy-answer-urls.js';
import { requestHeaderTable, responseHeaderTable, type HeaderTable } from './proxy-header-names.js';
import { pseudonymOf, requireCookies, requireFieldNames, requireRewrite } from './proxy-option-checks.js';
import type { ChooseHeaders } from './proxy-own-fields.js';
import { createPaths, type PathMap, type PathRewrite, type Paths } from './proxy-paths.js';
import { allowList, type AllowList } from './proxy-allow-list.js';
import { serverAddresses } from './server-address.js';

/** Chooses the target of a request; `undefined`: the request is none of the proxy's. */
export type ChooseTarget = (req: IncomingMessage) => string | URL | undefined;

/** Options of {@link proxy}; those of an upstream that it shares mean the same. */
export interface ProxyOptions
  extends Pick<
    UpstreamOptions,
    | 'mode'
    | 'connectTimeoutMs'
    | 'retries'
    | 'retryBudget'
    | 'breaker'
    | 'ejection'
    | 'health'
    | 'maxConnections'
    | 'tls'
  > {
  /**
   * Where requests go: a server, or several that do the same, as `urls` of an upstream. A function chooses
   * by the request, among those that `allow` lists.
   */
  to: string | URL | readonly (string | URL)[] | ChooseTarget;
  /**
   * Which targets the function `to` may choose: origins, such as `https://api.example.org` and
   * `https://*.example.org`, or `public` for any server of the public internet.
   */
  allow?: readonly string[] | 'public' | undefined;
  /**
   * Whether a target chosen by a function may have a private address, though only its name is allowed.
   * @default false
   */
  allowPrivate?: boolean | undefined;
  /** How names of chosen targets become addresses. By default `dns.lookup`. */
  lookup?: LookupFunction | undefined;
  /**
   * What signals and messages call it.
   * @default 'proxy'
   */
  name?: string | undefined;
  /**
   * Stands for the route in the request log and in metrics, such as `/shop`. A constant of the program: by
   * default there is none, since a mount path may have values in it.
   */
  route?: string | undefined;
  /** Changes the path. Where it is mounted, Express has taken the prefix off already. */
  rewrite?: PathMap | PathRewrite | undefined;
  /**
   * Translates `Location`, `Content-Location` and the paths of cookies to where the proxy is mounted.
   * @default true
   */
  rewriteAnswers?: boolean | undefined;
  /** `Domain` and `Path` of cookies. */
  cookies?: CookieOptions | undefined;
  /** Sent to the upstream in place of what the client sent by these names. A function says by the request what that is. */
  headers?: Readonly<Record<string, string>> | ChooseHeaders | undefined;
  /** Fields of requests that are not passed on: `authorization`, `cookie`, `x-tenant-*`. */
  stripHeaders?: readonly string[] | undefined;
  /** Fields of answers that are not passed on. */
  stripResponseHeaders?: readonly string[] | undefined;
  /**
   * Passes on what clients claim about who they are: `X-Real-IP`, `X-Remote-User`, …
   * @default false
   */
  keepIdentityHeaders?: boolean | undefined;
  /**
   * Sends `X-Forwarded-For`, `-Proto`, `-Host`, `-Prefix` and `Forwarded`.
   * @default true
   */
  forwarded?: boolean | undefined;
  /**
   * Sends the client's `Host` instead of the upstream's. Its certificate has to name the host of its URL all the same,
   * or `tls.servername`.
   * @default false
   */
  preserveHost?: boolean | undefined;
  /** Its name in `Via`. By default made of its targets, so that all processes share it. */
  via?: string | undefined;
  /**
   * How long the upstream may take until its header section is there, in milliseconds.
   * @default 60_000
   */
  timeoutMs?: number | undefined;
  /**
   * How long a body may stand still, in milliseconds, for want of the upstream's bytes or of the client's
   * reading. Event streams may be silent.
   * @default 60_000
   */
  idleTimeoutMs?: number | undefined;
  /**
   * Slowest that an upstream may send a body, event streams apart, measured over `idleTimeoutMs`; 0 for any.
   * @default 16
   */
  minBytesPerSecond?: number | undefined;
  /**
   * Of a request's body.
   * @default Infinity
   */
  maxRequestBytes?: number | undefined;
  /**
   * Of an answer's body.
   * @default Infinity
   */
  maxResponseBytes?: number | undefined;
  /**
   * Of an answer's header section.
   * @default 32_768
   */
  maxHeaderBytes?: number | undefined;
  /**
   * Fields in an answer's header section.
   * @default 256
   */
  maxHeaders?: number | undefined;
}

/** {@link ProxyOptions}, checked and worked out. */
export interface ProxySettings {
  name: string;
  /** Fixed targets; of a chosen one, what it has in common with all the others. */
  upstream: UpstreamSettings;
  choose: { target: ChooseTarget; allow: AllowList; allowPrivate: boolean } | undefined;
  chooseHeaders: ChooseHeaders | undefined;
  lookup: LookupFunction | undefined;
  route: string | undefined;
  paths: Paths;
  rewriteAnswers: boolean;
  cookies: CookieOptions;
  requestHeaders: HeaderTable;
  /** For what middlewares say in the client's place: who asks, among others. */
  ownRequestHeaders: HeaderTable;
  responseHeaders: HeaderTable;
  /** Names and values in turn. */
  fields: readonly string[];
  hasOwnAuthorization: boolean;
  forwarded: boolean;
  preserveHost: boolean;
  pseudonym: string;
  /** This hop, as `Via` tells it of answers, and of requests by HTTP/1.1. */
  via: string;
  timeoutMs: number;
  idleTimeoutMs: number;
  minBytesPerSecond: number;
  maxRequestBytes: number;
  maxResponseBytes: number;
  maxHeaderBytes: number;
  maxHeaders: number;
}

const NAMES: readonly (keyof ProxyOptions)[] = [
  'to',
  'allow',
  'allowPrivate',
  'lookup',
  'name',
  'route',
  'rewrite',
  'rewriteAnswers',
  'cookies',
  'headers',
  'stripHeaders',
  'stripResponseHeaders',
  'keepIdentityHeaders',
  'forwarded',
  'preserveHost',
  'via',
  'mode',
  'timeoutMs',
  'idleTimeoutMs',
  'minBytesPerSecond',
  'connectTimeoutMs',
  'retries',
  'retryBudget',
  'breaker',
  'ejection',
  'health',
  'maxConnections',
  'maxRequestBytes',
  'maxResponseBytes',
  'maxHeaderBytes',
  'maxHeaders',
  'tls',
];

/** What is told of the client in any case, `X-Forwarded-For` apart, which is continued. */
const FORWARDED = ['forwarded', 'x-forwarded-proto', 'x-forwarded-host', 'x-forwarded-prefix'];

const OWNER = 'proxy';
const MAX_MS = 2_147_483_647;

/**
 * Fills in the defaults.
 *
 * @throws {TypeError} naming the bad option
 */
export function resolveProxyOptions(options: ProxyOptions): ProxySettings {
  requireObject(OWNER, 'options', options);
  refuseUnknownOptions(OWNER, options, NAMES);
  const {
    name = 'proxy',
    allowPrivate = false,
    rewriteAnswers = true,
    cookies = {},
    stripHeaders = [],
    stripResponseHeaders = [],
    keepIdentityHeaders = false,
    forwarded = true,
    preserveHost = false,
    timeoutMs = 60_000,
    idleTimeoutMs = 60_000,
    minBytesPerSecond = 16,
    maxRequestBytes = Infinity,
    maxResponseBytes = Infinity,
    maxHeaderBytes = 32_768,
    maxHeaders = 256,
  } = options;
  requireText(OWNER, 'name', name);
  if (options.route !== undefined) requireText(OWNER, 'route', options.route);
  for (const [option, value] of Object.entries({
    allowPrivate,
    rewriteAnswers,
    keepIdentityHeaders,
    forwarded,
    preserveHost,
  })) {
    requireBoolean(OWNER, option, value);
  }
  for (const [option, value] of Object.entries({ timeoutMs, idleTimeoutMs })) {
    requireNumber(OWNER, option, value, { min: 1, max: MAX_MS });
  }
  for (const [option, value] of Object.entries({ minBytesPerSecond, maxRequestBytes, maxResponseBytes })) {
    requireNumber(OWNER, option, value, { min: 0 });
  }
  requireInteger(OWNER, 'maxHeaderBytes', maxHeaderBytes, 256);
  requireInteger(OWNER, 'maxHeaders', maxHeaders, 1);
  if (options.lookup !== undefined) requireFunction(OWNER, 'lookup', options.lookup);
  requireRewrite(options.rewrite);
  requireCookies(cookies);
  requireFieldNames('stripHeaders', stripHeaders);
  requireFieldNames('stripResponseHeaders', stripResponseHeaders);
  const { upstream, choose } = resolveTargets(options, name, timeoutMs, allowPrivate);
  const pseudonym = pseudonymOf(options.via, upstream.addresses, options.allow);
  // The client's beside ours would come first, and be the ones that are believed.
  const stripped = [...stripHeaders, ...Object.keys(upstream.headers), ...(forwarded ? FORWARDED : [])];

  return {
    name,
    upstream,
    choose,
    chooseHeaders: typeof options.headers === 'function' ? options.headers : undefined,
    lookup: options.lookup,
    route: options.route,
    paths: createPaths(options.rewrite),
    rewriteAnswers,
    cookies,
    requestHeaders: requestHeaderTable(stripped, keepIdentityHeaders, forwarded),
    ownRequestHeaders: requestHeaderTable(stripped, true, forwarded),
    responseHeaders: responseHeaderTable(stripResponseHeaders),
    fields: Object.entries(upstream.headers).flat(),
    hasOwnAuthorization:
      upstream.headers['authorization'] !== undefined ||
      upstream.addresses.some(({ authorization }) => authorization !== undefined),
    forwarded,
    preserveHost: preserveHost && upstream.headers['host'] === undefined,
    pseudonym,
    via: `1.1 ${pseudonym}`,
    timeoutMs,
    idleTimeoutMs,
    minBytesPerSecond,
    maxRequestBytes,
    maxResponseBytes,
    maxHeaderBytes,
    maxHeaders,
  };
}

function resolveTargets(
  options: ProxyOptions,
  name: string,
  timeoutMs: number,
  allowPrivate: boolean,
): Pick<ProxySettings, 'upstream' | 'choose'> {
  const { to, allow, mode = 'balance' } = options;
  const { connectTimeoutMs, retries, retryBudget, breaker, ejection, health, maxConnections, tls, headers } =
    options;
  const shared = {
    mode,
    timeoutMs,
    deadlineMs: timeoutMs,
    connectTimeoutMs,
    retries,
    retryBudget,
    breaker,
    ejection,
    health,
    maxConnections,
    tls,
    headers: typeof headers === 'function' ? undefined : headers,
  };
  if (typeof to !== 'function') {
    if (allow !== undefined)
      throw new TypeError('proxy: "allow" is for a function as "to"; other targets are fixed');
    serverAddresses(OWNER, 'to', to);
    return { upstream: resolveOptions(name, { ...shared, urls: to }, OWNER), choose: undefined };
  }
  if (health !== undefined)
    throw new TypeError('proxy: "health" needs fixed targets, and "to" is a function');
  const list = allowList(OWNER, 'allow', allow);
  // In the place of a target that is not known yet: all that its settings are read from is the same.
  const upstream = resolveOptions(name, { ...shared, urls: 'http://target.invalid' }, OWNER);
  return { upstream, choose: { target: to, allow: list, allowPrivate } };
}
