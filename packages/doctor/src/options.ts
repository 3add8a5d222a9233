import {
  parsedUrl,
  refuseUnknownOptions,
  requireBoolean,
  requireMilliseconds,
  requireObject,
  suggestion,
  wrongOption,
} from '@signalbox/options';
import type { z } from 'zod';
import { CATALOGUE, type Code } from './catalogue.js';

/** Options of `doctor`. All are optional. */
export interface DoctorOptions {
  /**
   * The environment in which the app would start. What `.env` files of the folder say ranks below.
   * @default process.env
   */
  env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Address of the running app, where the target is a folder or a program. It is then not started. */
  url?: string | undefined;
  /**
   * Whether a program is started, to be asked and looked into. It then connects to its databases as ever.
   * @default true
   */
  start?: boolean | undefined;
  /**
   * Whether the Redis of `REDIS_URL` is asked for its settings.
   * @default true
   */
  redis?: boolean | undefined;
  /** The schema of the app's settings, as `config()` of `@signalbox/config` takes it. */
  settings?: z.ZodObject | undefined;
  /**
   * How long the app drains at most, in milliseconds.
   * @default what the sources say, or 30_000 for an app on @signalbox/server; else not judged
   */
  drainMs?: number | undefined;
  /**
   * How long one answer may take, and Redis, in milliseconds.
   * @default 5_000
   */
  timeoutMs?: number | undefined;
  /**
   * How long the program may take until it listens, in milliseconds.
   * @default 30_000
   */
  startTimeoutMs?: number | undefined;
  /** Codes that are not reported: what somebody has decided to live with. */
  ignore?: readonly string[] | undefined;
}

const OPTIONS: readonly (keyof DoctorOptions)[] = [
  'env',
  'url',
  'start',
  'redis',
  'settings',
  'drainMs',
  'timeoutMs',
  'startTimeoutMs',
  'ignore',
];

/** {@link DoctorOptions} with nothing left open but what may be unknown. */
export interface DoctorSettings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly url: string | undefined;
  readonly start: boolean;
  readonly redis: boolean;
  readonly settings: z.ZodObject | undefined;
  readonly drainMs: number | undefined;
  readonly timeoutMs: number;
  readonly startTimeoutMs: number;
  readonly ignore: ReadonlySet<string>;
}

/** Fills in the defaults, or throws a `TypeError` naming the bad option. */
export function resolveOptions(options: DoctorOptions): DoctorSettings {
  requireObject('doctor', 'options', options);
  refuseUnknownOptions('doctor', options, OPTIONS);
  const { env = process.env, url, start = true, redis = true, settings, drainMs } = options;
  const { timeoutMs = 5_000, startTimeoutMs = 30_000, ignore = [] } = options;
  requireObject('doctor', 'env', env);
  requireBoolean('doctor', 'start', start);
  requireBoolean('doctor', 'redis', redis);
  requireMilliseconds('doctor', 'timeoutMs', timeoutMs, 1);
  requireMilliseconds('doctor', 'startTimeoutMs', startTimeoutMs, 1);
  if (drainMs !== undefined) requireMilliseconds('doctor', 'drainMs', drainMs, 0);
  if (url !== undefined && !isWebAddress(url)) {
    throw wrongOption('doctor', 'url', 'an address that begins with http:// or https://', url);
  }
  if (settings !== undefined && (typeof settings !== 'object' || !('shape' in settings))) {
    throw wrongOption('doctor', 'settings', 'a z.object() of settings', settings);
  }
  if (!Array.isArray(ignore)) throw wrongOption('doctor', 'ignore', 'a list of codes', ignore);
  for (const code of ignore as readonly unknown[]) {
    if (typeof code === 'string' && isCode(code)) continue;
    throw new TypeError(
      `doctor: "ignore" must hold codes; ${String(code)} is none; ${suggestion(code, ['SBX101'])}`,
    );
  }
  return { env, url, start, redis, settings, drainMs, timeoutMs, startTimeoutMs, ignore: new Set(ignore) };
}

export function isCode(code: string): code is Code {
  return Object.hasOwn(CATALOGUE, code);
}

export function isWebAddress(text: unknown): text is string {
  return typeof text === 'string' && /^https?:\/\//i.test(text) && parsedUrl(text) !== undefined;
}
