import {
  refuseUnknownOptions,
  requireFunction,
  requireNumber,
  wrongOption,
  wrongSecret,
} from '@signalbox/options';
import type { Request, Response } from 'express';
import type { Logger } from 'pino';
import { guarded } from './guarded.js';
import type { PrivacyOptions } from './visitor.js';

export interface RequestLoggerOptions {
  /**
   * Where to log. Any pino logger will do; one of `createLogger` redacts what is logged by hand, too.
   * @default the root logger
   */
  logger?: Logger | undefined;
  /**
   * A request that takes longer is also logged as a warning, in milliseconds. `Infinity` for never;
   * `slowAfter(ms)` sets it for a route.
   * @default 1_000
   */
  slowMs?: number | undefined;
  /**
   * Whether to keep address, user agent, path and query out of the log: a visitor is a keyed hash of the
   * day, a path the template of its route.
   * @default false
   */
  privacy?: boolean | PrivacyOptions | undefined;
  /** Requests that leave no line unless they fail with a 5xx, beside those that say so themselves. */
  ignore?: ((req: Request) => boolean) | undefined;
  /** More fields for the line. Redacted as everything else. */
  fields?: ((req: Request, res: Response) => Readonly<Record<string, unknown>>) | undefined;
}

export interface ResolvedRequestLoggerOptions {
  logger: Logger | undefined;
  slowMs: number;
  privacy: PrivacyOptions | undefined;
  ignore: ((req: Request) => boolean) | undefined;
  fields: ((req: Request, res: Response) => Readonly<Record<string, unknown>>) | undefined;
}

const NAMES = ['logger', 'slowMs', 'privacy', 'ignore', 'fields'] as const;

/** Fills in the defaults, or throws a `TypeError` naming the bad option. */
export function resolveRequestLoggerOptions(options: RequestLoggerOptions): ResolvedRequestLoggerOptions {
  refuseUnknownOptions('requestLogger', options, NAMES);
  const { logger, slowMs = 1_000, privacy = false, ignore, fields } = options;

  const isLogger = logger === undefined || typeof logger?.child === 'function';
  if (!isLogger) throw wrongOption('requestLogger', 'logger', 'a pino logger', logger);
  requireNumber('requestLogger', 'slowMs', slowMs, { above: 0 });
  if (ignore !== undefined) requireFunction('requestLogger', 'ignore', ignore);
  if (fields !== undefined) requireFunction('requestLogger', 'fields', fields);
  return {
    logger,
    slowMs,
    privacy: resolvePrivacy(privacy),
    ignore: ignore && guarded('ignore', ignore, false),
    fields: fields && guarded('fields', fields, {}),
  };
}

function resolvePrivacy(privacy: boolean | PrivacyOptions): PrivacyOptions | undefined {
  if (typeof privacy === 'boolean') return privacy ? {} : undefined;
  if (typeof privacy !== 'object' || privacy === null) {
    // It may be the key, given the wrong way.
    throw wrongSecret('requestLogger', 'privacy', 'true, false or options', privacy);
  }

  refuseUnknownOptions('requestLogger: "privacy"', privacy, ['key', 'now']);
  const { key, now } = privacy;
  if (key !== undefined && Buffer.byteLength(key) < 32) {
    throw wrongSecret('requestLogger', 'privacy.key', 'at least 32 bytes long', key);
  }
  if (now !== undefined) requireFunction('requestLogger', 'privacy.now', now);
  return privacy;
}
