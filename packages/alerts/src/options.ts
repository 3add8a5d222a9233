import {
  parsedUrl,
  refuseUnknownOptions,
  requireFunction,
  requireInteger,
  requireMilliseconds,
  requireObject,
  requireText,
  wrongOption,
} from '@signalbox/options';
import { redisLink, requirePrefix, type RedisLink, type RedisSource } from '@signalbox/redis';
import type { AlertChannel } from './channel.js';
import { clean } from './clean.js';
import type { MetricsRegistry } from './metrics-registry.js';
import type { AlertRule } from './rule.js';
import { SEVERITIES } from './severity.js';
import { standardRules } from './standard-rules.js';

export interface AlertsOptions {
  /** What runs, as messages name it. */
  service: string;
  /**
   * Where, as messages name it.
   * @default NODE_ENV, or 'development'
   */
  environment?: string | undefined;
  /** Where alerts go. */
  channels: readonly AlertChannel[];
  /**
   * What is worth one.
   * @default standardRules(), those of figures only with a `registry`
   */
  rules?: readonly AlertRule[] | undefined;
  /** Of `@signalbox/metrics`, for rules about figures. */
  registry?: MetricsRegistry | undefined;
  /** Where the pages of runbooks are; the name of a rule is put behind it. */
  runbooks?: string | undefined;
  /** A `RedisLink` or an ioredis client, by which processes agree who sends. Without it each sends for itself. */
  redis?: RedisSource | undefined;
  /**
   * What all keys begin with.
   * @default 'signalbox:alerts:'
   */
  prefix?: string | undefined;
  /**
   * How often it looks, in milliseconds.
   * @default 5_000
   */
  everyMs?: number | undefined;
  /**
   * How long news waits for more of it, to be one message, in milliseconds.
   * @default 15_000
   */
  groupMs?: number | undefined;
  /**
   * After how long one is reminded of what goes on, in milliseconds.
   * @default 14_400_000 (4 hours)
   */
  repeatMs?: number | undefined;
  /**
   * Messages that a channel gets in an hour. What is more waits, and is one message then.
   * @default 30
   */
  maxPerHour?: number | undefined;
  /**
   * Notices that wait for a channel that cannot be reached. What is more is dropped, and counted.
   * @default 500
   */
  maxQueued?: number | undefined;
  /**
   * How long one delivery may take, in milliseconds.
   * @default 10_000
   */
  deadlineMs?: number | undefined;
  /**
   * How long who sends may be silent before another process does, in milliseconds. More than twice `everyMs`, and three
   * times `deadlineMs` at least.
   * @default 30_000
   */
  leaseMs?: number | undefined;
  /** A clock for tests. */
  now?: (() => number) | undefined;
}

/** {@link AlertsOptions}, checked, with the defaults. */
export interface AlertsSettings {
  service: string;
  environment: string;
  channels: readonly AlertChannel[];
  rules: readonly AlertRule[];
  registry: MetricsRegistry | undefined;
  runbooks: string | undefined;
  link: RedisLink | undefined;
  prefix: string;
  everyMs: number;
  groupMs: number;
  repeatMs: number;
  maxPerHour: number;
  maxQueued: number;
  deadlineMs: number;
  leaseMs: number;
  now: () => number;
}

const OWNER = 'alerts';

const OPTIONS = [
  'service',
  'environment',
  'channels',
  'rules',
  'registry',
  'runbooks',
  'redis',
  'prefix',
  'everyMs',
  'groupMs',
  'repeatMs',
  'maxPerHour',
  'maxQueued',
  'deadlineMs',
  'leaseMs',
  'now',
] as const;

/**
 * Fills in the defaults.
 *
 * @throws {TypeError} naming the bad option
 */
export function resolveOptions(options: AlertsOptions): AlertsSettings {
  requireObject(OWNER, 'options', options);
  refuseUnknownOptions(OWNER, options, OPTIONS);
  const {
    service,
    environment = process.env['NODE_ENV'] ?? 'development',
    channels,
    registry,
    rules = standardRules().filter(({ needsRegistry }) => !needsRegistry || registry !== undefined),
    runbooks,
    redis,
    prefix = 'signalbox:alerts:',
    now = Date.now,
  } = options;
  requireText(OWNER, 'service', service);
  requireText(OWNER, 'environment', environment);
  requirePrefix(OWNER, prefix);
  requireFunction(OWNER, 'now', now);
  requireChannels(channels);
  requireRules(rules, registry);

  return {
    service: clean(service),
    environment: clean(environment),
    channels,
    rules,
    registry,
    runbooks: runbooks === undefined ? undefined : runbooksUrl(runbooks),
    link: redis === undefined ? undefined : redisLink(redis),
    prefix,
    ...resolveTimes(options),
    now,
  };
}

type Times = Pick<
  AlertsSettings,
  'everyMs' | 'groupMs' | 'repeatMs' | 'maxPerHour' | 'maxQueued' | 'deadlineMs' | 'leaseMs'
>;

function resolveTimes(options: AlertsOptions): Times {
  const {
    everyMs = 5_000,
    groupMs = 15_000,
    repeatMs = 14_400_000,
    maxPerHour = 30,
    maxQueued = 500,
    deadlineMs = 10_000,
    leaseMs = 30_000,
  } = options;
  requireMilliseconds(OWNER, 'everyMs', everyMs);
  requireMilliseconds(OWNER, 'groupMs', groupMs, 0);
  requireMilliseconds(OWNER, 'repeatMs', repeatMs);
  requireInteger(OWNER, 'maxPerHour', maxPerHour, 1);
  requireInteger(OWNER, 'maxQueued', maxQueued, 1, 10_000);
  requireMilliseconds(OWNER, 'deadlineMs', deadlineMs);
  requireMilliseconds(OWNER, 'leaseMs', leaseMs);
  if (options.redis !== undefined && (leaseMs <= 2 * everyMs || leaseMs < 3 * deadlineMs)) {
    throw wrongOption(
      OWNER,
      'leaseMs',
      'more than twice "everyMs" and three times "deadlineMs" at least',
      leaseMs,
    );
  }
  return { everyMs, groupMs, repeatMs, maxPerHour, maxQueued, deadlineMs, leaseMs };
}

function requireChannels(channels: unknown): asserts channels is readonly AlertChannel[] {
  if (!Array.isArray(channels) || channels.length === 0) {
    throw wrongOption(OWNER, 'channels', 'a list of one channel or more', channels);
  }
  const names = new Set<unknown>();
  for (const channel of channels as readonly Partial<AlertChannel>[]) {
    if (typeof channel?.send !== 'function' || typeof channel.name !== 'string') {
      throw wrongOption(OWNER, 'channels', 'made by slack(), email(), pagerDuty() or webhook()', channel);
    }
    if (channel.severity === undefined || !SEVERITIES.includes(channel.severity)) {
      throw wrongOption(OWNER, `channels.${channel.name}.severity`, SEVERITIES.join(', '), channel.severity);
    }
    if (names.has(channel.name)) {
      throw new TypeError(
        `alerts: "channels" has two by the name "${channel.name}"; give one another "name"`,
      );
    }
    names.add(channel.name);
  }
}

function requireRules(rules: unknown, registry: unknown): asserts rules is readonly AlertRule[] {
  if (!Array.isArray(rules) || rules.length === 0) {
    throw wrongOption(OWNER, 'rules', 'a list of one rule or more', rules);
  }
  const names = new Set<unknown>();
  for (const rule of rules as readonly Partial<AlertRule>[]) {
    if (typeof rule?.watch !== 'function' || typeof rule.name !== 'string') {
      throw wrongOption(OWNER, 'rules', 'made by rule(), onHealth() and the like', rule);
    }
    if (rule.needsRegistry === true && registry === undefined) {
      throw new TypeError(`alerts: the rule "${rule.name}" needs "registry", that of metrics()`);
    }
    if (names.has(rule.name)) throw new TypeError(`alerts: "rules" has two by the name "${rule.name}"`);
    names.add(rule.name);
  }
}

function runbooksUrl(value: unknown): string {
  const isUrl = typeof value === 'string' && /^https?:/i.test(value) && parsedUrl(value) !== undefined;
  if (!isUrl) throw wrongOption(OWNER, 'runbooks', 'an http or https URL', value);
  return value.endsWith('/') || value.endsWith('#') ? value : `${value}/`;
}
