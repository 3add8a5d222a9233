import {
  refuseUnknownOptions,
  requireInteger,
  requireNumber,
  requireObject,
  requireText,
  wrongSecret,
} from '@signalbox/options';

export interface LinkBreakerOptions {
  /**
   * Failures in a row, be it for want of an answer or of a connection, after which commands are refused.
   * @default 5
   */
  failures?: number | undefined;
  /**
   * How long such a row may last, in milliseconds.
   * @default 10_000
   */
  windowMs?: number | undefined;
}

export interface LinkOptions {
  /**
   * What errors, signals and metrics call it.
   * @default 'redis'
   */
  name?: string | undefined;
  /**
   * How long a command may take, in milliseconds.
   * @default 100
   */
  deadlineMs?: number | undefined;
  /** When to stop asking a Redis that does not answer. */
  breaker?: LinkBreakerOptions | undefined;
  /**
   * What the link's own keys begin with.
   * @default 'signalbox:redis:'
   */
  prefix?: string | undefined;
}

/** {@link LinkOptions}, checked, with the defaults. */
export interface LinkSettings {
  name: string;
  deadlineMs: number;
  failures: number;
  windowMs: number;
  prefix: string;
}

/** {@link LinkSettings}, and how patient to be with a connection. */
export interface ConnectionSettings extends LinkSettings {
  /** How long PINGs may go unanswered until the connection is made anew, in milliseconds. */
  silenceMs: number;
  /** How long the first commands of a connection may go unanswered, in milliseconds. */
  handshakeMs: number;
}

/**
 * Fills in the defaults.
 *
 * @throws {TypeError} naming the bad option
 */
export function resolveOptions(owner: string, options: LinkOptions): LinkSettings {
  // What stands in the wrong place may be a URL with a password in it.
  if (typeof options === 'string') throw wrongSecret(owner, 'options', 'an object', options);
  requireObject(owner, 'options', options);
  refuseUnknownOptions(owner, options, ['name', 'deadlineMs', 'breaker', 'prefix']);
  const { name = 'redis', deadlineMs = 100, breaker = {}, prefix = 'signalbox:redis:' } = options;

  requireText(owner, 'name', name);
  if (typeof prefix !== 'string') throw wrongSecret(owner, 'prefix', 'a string', prefix);
  requireNumber(owner, 'deadlineMs', deadlineMs, { min: 1, max: 60_000 });
  requireObject(owner, 'breaker', breaker);
  refuseUnknownOptions(`${owner}: "breaker"`, breaker, ['failures', 'windowMs']);
  const { failures = 5, windowMs = 10_000 } = breaker;
  requireInteger(owner, 'breaker.failures', failures, 1, 1_000);
  requireNumber(owner, 'breaker.windowMs', windowMs, { min: 1, max: 3_600_000 });

  return { name, deadlineMs, failures, windowMs, prefix };
}
