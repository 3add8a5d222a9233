import {
  refuseUnknownOptions,
  requireFunction,
  requireMilliseconds,
  requireObject,
  requireOneOf,
  requireText,
  wrongOption,
} from '@signalbox/options';
import type { Expression } from './expression.js';
import type { MetricsRegistry } from './metrics-registry.js';
import { SEVERITIES, type Severity } from './severity.js';

/** What a rule found. */
export interface Finding {
  /** A sentence without a full stop, such as `Redis "main" does not answer`. Addresses and secrets are taken out. */
  readonly title: string;
  /** @default the rule's */
  readonly severity?: Severity | undefined;
  /** More lines: figures, and a reason in words. Addresses and secrets are taken out. */
  readonly details?: readonly string[] | undefined;
}

/** What a rule tells of, and may ask. */
export interface Watch {
  /** The condition holds for this subject, since now or still. */
  readonly holds: (subject: string, finding: Finding) => void;
  /** It holds no more. */
  readonly gone: (subject: string) => void;
  /** Something happened that lasts no time, such as the theft of a token. */
  readonly happened: (subject: string, finding: Finding) => void;
  /** Calls `look` now and then, never twice at once; `signal` is aborted when it takes too long. */
  readonly every: (ms: number, look: (signal: AbortSignal) => void | Promise<void>) => void;
  readonly now: () => number;
  readonly registry: MetricsRegistry | undefined;
}

/** The same condition, as Prometheus sees it. */
export interface PrometheusAlert {
  /** PromQL; `of('name', 'label="value"')` names a metric with its labels, and those that all are to have. */
  readonly expression: Expression;
  /** @default the rule's */
  readonly severity?: Severity | undefined;
  /** Text with Prometheus' templates, such as `{{ $labels.check }}`. */
  readonly summary: string;
  /** More labels, to tell the alerts of one rule apart. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

export interface RuleOptions {
  /** A stable name in kebab-case; also that of the runbook's page. */
  name: string;
  /** @default 'warning' */
  severity?: Severity | undefined;
  /**
   * How long the condition must hold before it is an incident, in milliseconds. Time that it does not hold counts
   * half against it.
   * @default 0
   */
  forMs?: number | undefined;
  /**
   * How long it must be gone before the incident is over, in milliseconds.
   * @default 120_000
   */
  quietMs?: number | undefined;
  /** Starts to look. Returns what ends it. */
  watch: (watch: Watch) => (() => void) | undefined;
  /** Rules whose incidents follow from one of this: they are told within it. `name`, or `name/subject`. */
  explains?: readonly string[] | undefined;
  /** Whether its figures come from a registry of metrics. */
  needsRegistry?: boolean | undefined;
  /** Whether every process of a machine sees the same: while they cannot agree, one of them tells. */
  isShared?: boolean | undefined;
  prometheus?: readonly PrometheusAlert[] | undefined;
}

/** A checked rule, as {@link rule} and its ready-made kin make it. */
export interface AlertRule extends Readonly<Required<RuleOptions>> {
  readonly severity: Severity;
  readonly forMs: number;
  readonly quietMs: number;
  readonly explains: readonly string[];
  readonly needsRegistry: boolean;
  readonly isShared: boolean;
  readonly prometheus: readonly PrometheusAlert[];
}

/** What each ready-made rule lets one change. */
export interface Timing {
  /** @default the rule's own */
  severity?: Severity | undefined;
  /** How long it must hold, in milliseconds. */
  forMs?: number | undefined;
  /** How long it must be gone to be over, in milliseconds. */
  quietMs?: number | undefined;
}

export const TIMING = ['severity', 'forMs', 'quietMs'] as const;

const OPTIONS = ['name', ...TIMING, 'watch', 'explains', 'needsRegistry', 'isShared', 'prometheus'] as const;

/**
 * A rule of your own: what is worth telling, and when.
 *
 * @throws {TypeError} when an option is wrong
 *
 * @example
 * const queueLong = rule({
 *   name: 'queue-long',
 *   forMs: 60_000,
 *   watch(watch) {
 *     watch.every(10_000, () => {
 *       if (queue.length > 100) watch.holds('mail', { title: 'The mail queue is long' });
 *       else watch.gone('mail');
 *     });
 *     return undefined;
 *   },
 * });
 */
export function rule(options: RuleOptions): AlertRule {
  return makeRule('rule', options);
}

/** As {@link rule}, for a ready-made one, whose wrong options are named as its own. */
export function makeRule(owner: string, options: RuleOptions): AlertRule {
  requireObject(owner, 'options', options);
  refuseUnknownOptions(owner, options, OPTIONS);
  const {
    name,
    severity = 'warning',
    forMs = 0,
    quietMs = 120_000,
    watch,
    explains = [],
    needsRegistry = false,
    isShared = false,
    prometheus = [],
  } = options;
  requireText(owner, 'name', name);
  if (!/^[a-z][a-z0-9-]{0,63}$/.test(name)) throw wrongOption(owner, 'name', 'in kebab-case', name);
  requireOneOf(owner, 'severity', severity, SEVERITIES);
  requireMilliseconds(owner, 'forMs', forMs, 0);
  requireMilliseconds(owner, 'quietMs', quietMs, 0);
  requireFunction(owner, 'watch', watch);
  return Object.freeze({
    name,
    severity,
    forMs,
    quietMs,
    watch,
    explains,
    needsRegistry,
    isShared,
    prometheus,
  });
}
