import type { ConnectionOptions } from 'node:tls';
import {
  refuseUnknownOptions,
  requireInteger,
  requireNumber,
  requireObject,
  requireOneOf,
  wrongOption,
  type NumberBounds,
} from '@signalbox/options';
import type { BreakerOptions, BreakerSettings } from './breaker.js';
import type { RetryBudgetOptions } from './retry-budget.js';
import { serverAddresses, type ServerAddress } from './server-address.js';

/** Options of one upstream. */
export interface UpstreamOptions {
  /**
   * Where its servers are: http or https, with a path prefix if need be. A user name and password in a
   * URL are sent as `Authorization: Basic` and shown nowhere.
   */
  urls: string | URL | readonly (string | URL)[];
  /**
   * `preference`: the first that works, in order. `balance`: the one with the fewest requests under way.
   * @default 'preference'
   */
  mode?: 'preference' | 'balance' | undefined;
  /**
   * How long one attempt may take, until the last byte of the body, in milliseconds.
   * @default 10_000
   */
  timeoutMs?: number | undefined;
  /**
   * How long a call may take with all its attempts, in milliseconds. By default `timeoutMs` for each attempt.
   */
  deadlineMs?: number | undefined;
  /**
   * How long making a connection may take, in milliseconds.
   * @default 2_000
   */
  connectTimeoutMs?: number | undefined;
  /** Attempts after the first. By default 2, or as many as it takes to ask each server once. */
  retries?: number | undefined;
  /** How much load retries may add. */
  retryBudget?: RetryBudgetOptions | undefined;
  /** When to stop calling a route of a server; `false` for never. */
  breaker?: BreakerOptions | false | undefined;
  /** When to take a server out of the rotation; `false` for never. */
  ejection?: EjectionOptions | false | undefined;
  /**
   * Asks each server in the background how it is. By default it does not. One that fails a check and passes a later one is
   * asked at once: its breakers begin anew.
   */
  health?: HealthOptions | undefined;
  /**
   * Largest body that is taken, as it comes and decompressed.
   * @default 10_485_760
   */
  maxResponseBytes?: number | undefined;
  /**
   * Connections to each server; further requests wait for one. WebSockets of a proxy are not among them once they are open.
   * @default 100
   */
  maxConnections?: number | undefined;
  /** Sent with each request, such as an API key. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** For https, as `tls.connect` takes them. */
  tls?: TlsOptions | undefined;
}

/** How to prove who is who. */
export type TlsOptions = Pick<
  ConnectionOptions,
  'ca' | 'cert' | 'key' | 'passphrase' | 'servername' | 'rejectUnauthorized' | 'minVersion' | 'ciphers'
>;

/** When a server leaves the rotation. The last one that is in stays in. */
export interface EjectionOptions {
  /**
   * Failures in a row, on whatever route.
   * @default 5
   */
  failures?: number | undefined;
  /**
   * How long it is out at first, in milliseconds; twice as long each time that its trial fails. Then one
   * request is let through, and decides; before, where none of the others may be asked.
   * @default 10_000
   */
  pauseMs?: number | undefined;
  /** @default 60_000 */
  maxPauseMs?: number | undefined;
}

/** How servers are asked how they are. */
export interface HealthOptions {
  /**
   * Answers 2xx or 3xx when the server is well. Of several, the next is asked where one is not found.
   * @default '/'
   */
  path?: string | readonly string[] | undefined;
  /**
   * @default 5_000
   */
  everyMs?: number | undefined;
  /** @default 1_000 */
  timeoutMs?: number | undefined;
  /**
   * Failed checks in a row that take a server out of the rotation; one that passes puts it back.
   * @default 2
   */
  failures?: number | undefined;
}

/** {@link UpstreamOptions}, checked, with the defaults. */
export interface UpstreamSettings {
  name: string;
  addresses: readonly ServerAddress[];
  mode: 'preference' | 'balance';
  timeoutMs: number;
  deadlineMs: number;
  connectTimeoutMs: number;
  retries: number;
  retryBudget: { ratio: number; minPerSecond: number; windowMs: number };
  breaker: BreakerSettings | undefined;
  ejection: { failures: number; pauseMs: number; maxPauseMs: number } | undefined;
  health: { paths: readonly string[]; everyMs: number | undefined; timeoutMs: number; failures: number };
  maxResponseBytes: number;
  maxConnections: number;
  headers: Readonly<Record<string, string>>;
  tls: TlsOptions | undefined;
}

const NAMES: readonly (keyof UpstreamOptions)[] = [
  'urls',
  'mode',
  'timeoutMs',
  'deadlineMs',
  'connectTimeoutMs',
  'retries',
  'retryBudget',
  'breaker',
  'ejection',
  'health',
  'maxResponseBytes',
  'maxConnections',
  'headers',
  'tls',
];

/** The longest that `setTimeout` can count to. */
const MAX_MS = 2_147_483_647;
export const DURATION: NumberBounds = { above: 0, max: MAX_MS };

/**
 * Fills in the defaults.
 *
 * @param path what messages call these options where a function has them for several names: `searxng` of `upstreams()`
 * @throws {TypeError} naming the bad option
 */
export function resolveOptions(
  name: string,
  options: UpstreamOptions,
  owner: string,
  path = '',
): UpstreamSettings {
  const at = (option: string): string => (path === '' ? option : `${path}.${option}`);
  requireObject(owner, path === '' ? 'options' : path, options);
  refuseUnknownOptions(path === '' ? owner : `${owner}: "${path}"`, options, NAMES);
  const addresses = serverAddresses(owner, at('urls'), options.urls);
  const {
    mode = 'preference',
    timeoutMs = 10_000,
    connectTimeoutMs = 2_000,
    retries = Math.max(2, addresses.length - 1),
    deadlineMs = timeoutMs * (retries + 1),
    maxResponseBytes = 10_485_760,
    maxConnections = 100,
    headers = {},
    tls,
  } = options;

  requireOneOf(owner, at('mode'), mode, ['preference', 'balance']);
  requireNumber(owner, at('timeoutMs'), timeoutMs, DURATION);
  requireNumber(owner, at('deadlineMs'), deadlineMs, DURATION);
  requireNumber(owner, at('connectTimeoutMs'), connectTimeoutMs, DURATION);
  requireInteger(owner, at('retries'), retries, 0, 20);
  requireInteger(owner, at('maxResponseBytes'), maxResponseBytes, 1);
  requireInteger(owner, at('maxConnections'), maxConnections, 1);
  requireHeaders(owner, at('headers'), headers);
  if (tls !== undefined) requireObject(owner, at('tls'), tls);

  return {
    name,
    addresses,
    mode,
    timeoutMs,
    deadlineMs,
    connectTimeoutMs,
    retries,
    retryBudget: resolveRetryBudget(owner, at('retryBudget'), options.retryBudget ?? {}),
    breaker:
      options.breaker === false ? undefined : resolveBreaker(owner, at('breaker'), options.breaker ?? {}),
    ejection:
      options.ejection === false ? undefined : resolveEjection(owner, at('ejection'), options.ejection ?? {}),
    health: resolveHealth(owner, at('health'), options.health),
    maxResponseBytes,
    maxConnections,
    headers: Object.fromEntries(
      Object.entries(headers).map(([field, value]) => [field.toLowerCase(), value]),
    ),
    tls,
  };
}

function resolveRetryBudget(
  owner: string,
  path: string,
  options: RetryBudgetOptions,
): UpstreamSettings['retryBudget'] {
  const settings = { ratio: 0.2, minPerSecond: 1, windowMs: 10_000 };
  fillIn(owner, path, settings, options);
  requireNumber(owner, `${path}.ratio`, settings.ratio, { min: 0, max: 10 });
  requireNumber(owner, `${path}.minPerSecond`, settings.minPerSecond, { min: 0 });
  requireNumber(owner, `${path}.windowMs`, settings.windowMs, { min: 100 });
  return settings;
}

function resolveBreaker(owner: string, path: string, options: BreakerOptions): BreakerSettings {
  const settings: BreakerSettings = {
    failureRate: 0.5,
    windowMs: 10_000,
    minimumRequests: 20,
    failures: 5,
    ofRequests: 10,
    slowCallMs: Infinity,
    openMs: 1_000,
    maxOpenMs: 30_000,
  };
  fillIn(owner, path, settings, options);
  requireNumber(owner, `${path}.failureRate`, settings.failureRate, { above: 0, below: 1 });
  requireNumber(owner, `${path}.windowMs`, settings.windowMs, { min: 100 });
  requireInteger(owner, `${path}.minimumRequests`, settings.minimumRequests, 1);
  requireInteger(owner, `${path}.ofRequests`, settings.ofRequests, 1, 10_000);
  requireInteger(owner, `${path}.failures`, settings.failures, 1, settings.ofRequests);
  requireNumber(owner, `${path}.slowCallMs`, settings.slowCallMs, { above: 0 });
  requireNumber(owner, `${path}.openMs`, settings.openMs, DURATION);
  requireNumber(owner, `${path}.maxOpenMs`, settings.maxOpenMs, { min: settings.openMs });
  return settings;
}

function resolveEjection(
  owner: string,
  path: string,
  options: EjectionOptions,
): NonNullable<UpstreamSettings['ejection']> {
  const settings = { failures: 5, pauseMs: 10_000, maxPauseMs: 60_000 };
  fillIn(owner, path, settings, options);
  requireInteger(owner, `${path}.failures`, settings.failures, 1);
  requireNumber(owner, `${path}.pauseMs`, settings.pauseMs, DURATION);
  requireNumber(owner, `${path}.maxPauseMs`, settings.maxPauseMs, { min: settings.pauseMs });
  return settings;
}

function resolveHealth(
  owner: string,
  path: string,
  options: HealthOptions | undefined,
): UpstreamSettings['health'] {
  const { path: paths = '/', ...times } = options ?? {};
  const settings = { everyMs: 5_000, timeoutMs: 1_000, failures: 2 };
  fillIn(owner, path, settings, times);
  const list = typeof paths === 'string' ? [paths] : paths;
  if (list.length === 0 || list.some((each) => typeof each !== 'string' || !each.startsWith('/'))) {
    throw wrongOption(owner, `${path}.path`, 'a path that begins with "/"', paths);
  }
  requireNumber(owner, `${path}.everyMs`, settings.everyMs, { min: 10, max: MAX_MS });
  requireNumber(owner, `${path}.timeoutMs`, settings.timeoutMs, DURATION);
  requireInteger(owner, `${path}.failures`, settings.failures, 1);
  return { ...settings, paths: list, everyMs: options === undefined ? undefined : settings.everyMs };
}

/** Overwrites the defaults in `settings`. An option that is `undefined` counts as left out. */
function fillIn<Settings extends object>(
  owner: string,
  path: string,
  settings: Settings,
  options: { [Name in keyof Settings]?: Settings[Name] | undefined },
): void {
  requireObject(owner, path, options);
  refuseUnknownOptions(`${owner}: "${path}"`, options, Object.keys(settings));
  for (const [option, value] of Object.entries(options)) {
    if (value !== undefined) Object.assign(settings, { [option]: value });
  }
}

const FIELD_NAME = /^[\w!#$%&'*+.^`|~-]+$/;
/** Such as the line break at the end of a file that a key was read from. */
const NOT_IN_A_FIELD = /[^\t\u0020-\u007e\u0080-\u00ff]/;

export function requireHeaders(owner: string, option: string, headers: unknown): void {
  requireObject(owner, option, headers);
  for (const [field, value] of Object.entries(headers)) {
    if (!FIELD_NAME.test(field))
      throw wrongOption(owner, option, 'an object by names of header fields', field);
    // Not shown: it may well be a key.
    if (typeof value !== 'string')
      throw new TypeError(`${owner}: "${option}.${field}" must be a string, got ${typeof value}`);
    if (NOT_IN_A_FIELD.test(value))
      throw new TypeError(
        `${owner}: "${option}.${field}" must be one line, and has a character that no header may have`,
      );
  }
}
