import {
  refuseUnknownOptions,
  requireFunction,
  requireObject,
  requireOneOf,
  requireText,
  wrongOption,
} from '@signalbox/options';
import { consumerNamer, principal, type ConsumerFunction } from './consumer.js';

/** Pages that tell more. */
export interface DeprecationLinks {
  /** About the deprecation (RFC 9745 section 3). */
  deprecation?: string | undefined;
  /** About what happens at the sunset (RFC 8594 section 6). */
  sunset?: string | undefined;
}

export interface DeprecatedOptions {
  /** Since when: a `Date`, or text such as `2026-01-31` or `2026-01-31T12:00:00Z`. It may lie ahead. */
  since: Date | string;
  /** When it will be switched off, not before `since`. */
  sunset?: Date | string | undefined;
  /** A page about the deprecation, or one for it and one for the sunset. */
  link?: string | DeprecationLinks | undefined;
  /** What to use instead, such as `/api/v2`. */
  successor?: string | undefined;
  /**
   * What `X-API-Deprecation` says, in ASCII.
   * @default 'true'
   */
  message?: string | undefined;
  /**
   * What happens after the sunset: it is served on, or refused with 410 `api_version_gone`.
   * @default 'serve'
   */
  afterSunset?: 'serve' | 'gone' | undefined;
  /** What the signal calls it where it stands outside of `versions()`. By default `req.apiVersion`, else `unversioned`. */
  version?: string | undefined;
  /** Names who calls, for the signal. By default the principal, `req.auth.subject`; without one, `anonymous`. */
  consumer?: ConsumerFunction | undefined;
  /**
   * The clock, in milliseconds since 1970.
   * @default Date.now
   */
  now?: (() => number) | undefined;
}

export interface ResolvedDeprecation {
  readonly sinceMs: number;
  readonly sunsetMs: number;
  readonly link: DeprecationLinks;
  readonly successor: string | undefined;
  readonly message: string;
  readonly isGoneAfterSunset: boolean;
  readonly version: string | undefined;
  readonly consumerOf: ReturnType<typeof consumerNamer>;
  readonly now: () => number;
}

const NAMES = [
  'since',
  'sunset',
  'link',
  'successor',
  'message',
  'afterSunset',
  'version',
  'consumer',
  'now',
] as const satisfies readonly (keyof DeprecatedOptions)[];

const DATE = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/;

/**
 * Fills in the defaults.
 *
 * @throws {TypeError} naming the bad option
 */
export function resolveDeprecation(options: DeprecatedOptions): ResolvedDeprecation {
  requireObject('deprecated', 'options', options);
  refuseUnknownOptions('deprecated', options, NAMES);
  const { sunset, link = {}, successor, message = 'true', afterSunset = 'serve', version } = options;
  const { consumer = principal, now = Date.now } = options;

  const sinceMs = timeOf('since', options.since);
  const sunsetMs = sunset === undefined ? Infinity : timeOf('sunset', sunset);
  if (sunsetMs < sinceMs) {
    // RFC 9745 section 4: clients could not make sense of it.
    throw new TypeError(
      `deprecated: "sunset" must not be before "since", got ${iso(sunsetMs)} and ${iso(sinceMs)}`,
    );
  }
  const links = typeof link === 'string' ? { deprecation: link } : link;
  requireObject('deprecated', 'link', links);
  refuseUnknownOptions('deprecated: link', links, ['deprecation', 'sunset']);
  requireReference(typeof link === 'string' ? 'link' : 'link.deprecation', links.deprecation);
  requireReference('link.sunset', links.sunset);
  requireReference('successor', successor);
  if (typeof message !== 'string' || !/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(message)) {
    throw wrongOption('deprecated', 'message', 'a line of ASCII text', message);
  }
  requireOneOf('deprecated', 'afterSunset', afterSunset, ['serve', 'gone']);
  if (afterSunset === 'gone' && sunset === undefined) {
    throw new TypeError('deprecated: "afterSunset" is "gone", which needs a "sunset"');
  }
  if (version !== undefined) requireText('deprecated', 'version', version);
  requireFunction('deprecated', 'consumer', consumer);
  requireFunction('deprecated', 'now', now);

  return {
    sinceMs,
    sunsetMs,
    link: links,
    successor,
    message,
    isGoneAfterSunset: afterSunset === 'gone',
    version,
    consumerOf: consumerNamer(consumer),
    now,
  };
}

/** Text must be a date that every reader understands alike: `1/2/2026` is none. */
function timeOf(option: string, value: unknown): number {
  if (value instanceof Date && Number.isFinite(value.getTime())) return value.getTime();
  if (typeof value === 'string' && DATE.test(value)) {
    const ms = Date.parse(value);
    const day = value.slice(0, 10);
    const dayMs = Date.parse(day);
    // A day that does not exist would be another one, in silence.
    if (Number.isFinite(ms) && Number.isFinite(dayMs) && iso(dayMs).startsWith(day)) return ms;
  }
  throw wrongOption('deprecated', option, 'a Date or text such as 2026-01-31', value);
}

/** RFC 3986: what a Link cannot have between its angle brackets would end it. */
function requireReference(option: string, value: unknown): void {
  if (value === undefined || (typeof value === 'string' && /^[^\s<>"\\^`{|}\u007f-\uffff]+$/.test(value)))
    return;
  throw wrongOption('deprecated', option, 'a URL or a path', value);
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
