import { setMaxListeners } from 'node:events';
import { currentRequest } from '@signalbox/context';
import { HttpError } from '@signalbox/errors';
import {
  refuseUnknownOptions,
  requireFunction,
  requireNumber,
  requireObject,
  requireText,
  wrongOption,
} from '@signalbox/options';
import { signals, type FeatureState } from '@signalbox/signals';
import { UpstreamTimeoutError } from './errors.js';
import { onExpiry } from './expiry.js';
import { FallbackFailedError } from './fallback-error.js';
import { DURATION } from './options.js';

/** One source of a value, in a chain of them. */
export interface FallbackStep<In, Out> {
  /** Such as `searxng` or `stale-cache`: named in results and signals. */
  name: string;
  /**
   * Gets the value, or throws. `undefined` means that there is none here, as in a cache that misses. An
   * `HttpError` 400 or 422 says that the input is at fault: it ends the chain. What it does shall end when `signal` aborts; the chain goes on without it in any case.
   */
  run(input: In, context: FallbackContext): Out | undefined | PromiseLike<Out | undefined>;
  /**
   * Whether the value will do. One that will not is kept, and used when no later step has better.
   */
  isEnough?: ((value: Out) => boolean) | undefined;
  /**
   * Most of the remaining time that it may take, above 0 and at most 1. By default half of it, and for
   * the last step all.
   */
  share?: number | undefined;
  /** Most that it may take, in milliseconds. */
  timeoutMs?: number | undefined;
  /** Whether its value is second best. By default it is for every step but the first. */
  degraded?: boolean | undefined;
}

/** What a step is given besides the input. */
export interface FallbackContext {
  /** Aborted when the step's time is up, or nobody waits for the value any more. */
  signal: AbortSignal;
  /** The step's time, in milliseconds. */
  deadlineMs: number;
}

export interface FallbackOptions {
  /** Such as `search`: named in signals, and the feature that they say runs degraded. */
  name: string;
  /**
   * How long the whole chain may take, in milliseconds.
   * @default 10_000
   */
  deadlineMs?: number | undefined;
}

/** Options of one call of a chain. */
export interface FallbackCallOptions {
  /** By default the signal of the running request. */
  signal?: AbortSignal | undefined;
  /** Where it is less than the chain's. The deadline of the running request holds as well. */
  deadlineMs?: number | undefined;
}

/** How one step fared. */
export interface FallbackAttempt {
  name: string;
  /** `empty`: it had nothing, or not enough. */
  outcome: 'ok' | 'empty' | 'error' | 'timeout';
  durationMs: number;
  /** The error's stable `code`, where it has one. */
  code: string | undefined;
}

/** What a chain found, and where. */
export interface FallbackResult<Out> {
  value: Out;
  /** Name of the step that the value came from. */
  source: string;
  attempts: FallbackAttempt[];
  degraded: boolean;
}

/** Asks one step after the other. */
export type FallbackChain<In, Out> = (
  input: In,
  options?: FallbackCallOptions,
) => Promise<FallbackResult<Out>>;

/**
 * Makes a function that asks one source after the other until one has an answer. Each gets a part of the
 * time that is left, so that one that hangs does not eat the time of all.
 *
 * @throws {TypeError} when an option is out of range, at construction
 *
 * @example
 * const search = fallback([...engine.steps(), stale, embedded], { name: 'search', deadlineMs: 5_000 });
 * const { value, source, degraded } = await search({ q: 'express' });
 */
export function fallback<In, Out>(
  steps: readonly FallbackStep<In, Out>[],
  options: FallbackOptions,
): FallbackChain<In, Out> {
  const { name, deadlineMs } = resolveOptions(steps, options);
  const feature = featureWatch(name);

  return async (input, call = {}) => {
    const scope = currentRequest();
    const signal = call.signal ?? scope?.signal;
    signal?.throwIfAborted();
    const startedAt = performance.now();
    const endsAt = Math.min(
      startedAt + Math.min(deadlineMs, call.deadlineMs ?? Infinity),
      scope?.deadline ?? Infinity,
    );
    const attempts: FallbackAttempt[] = [];
    const errors: unknown[] = [];
    let poor: FallbackResult<Out> | undefined;

    for (const [index, step] of steps.entries()) {
      const budgetMs = budgetOf(step, endsAt - performance.now(), index === steps.length - 1);
      const { attempt, value, error } = await tryStep(name, step, input, budgetMs, signal);
      attempts.push(attempt);
      const result = { source: step.name, attempts, degraded: step.degraded ?? index > 0 };
      if (attempt.outcome === 'ok') {
        feature.answered(result.degraded, step.name, errors[0]);
        return { ...result, value: value as Out };
      }
      if (isInputFault(error)) throw error;
      if (value !== undefined) poor ??= { ...result, value };
      if (error !== undefined) errors.push(error);
      signals.upstreamFallback.publish({ chain: name, from: step.name, to: steps[index + 1]?.name, error });
    }

    if (poor !== undefined) {
      feature.answered(poor.degraded, poor.source, errors[0]);
      return poor;
    }
    const failed = new FallbackFailedError(name, attempts, errors);
    feature.failed(failed);
    throw failed;
  };
}

interface StepResult<Out> {
  attempt: FallbackAttempt;
  value: Out | undefined;
  error: unknown;
}

/** Runs one step, for no longer than it may. Rejects only when the caller leaves. */
async function tryStep<In, Out>(
  chain: string,
  step: FallbackStep<In, Out>,
  input: In,
  budgetMs: number,
  caller: AbortSignal | undefined,
): Promise<StepResult<Out>> {
  const startedAt = performance.now();
  const { name } = step;
  const ended = (
    outcome: FallbackAttempt['outcome'],
    value: Out | undefined,
    error?: unknown,
  ): StepResult<Out> => ({
    attempt: { name, outcome, durationMs: Math.round(performance.now() - startedAt), code: codeOf(error) },
    value,
    error,
  });
  const timedOut = new UpstreamTimeoutError(
    `chain "${chain}": "${name}" had no answer within ${Math.round(budgetMs)} ms`,
    { upstream: name },
  );
  const control = new AbortController();
  // A step may make many calls; Node would take the eleventh that listens for a leak.
  setMaxListeners(0, control.signal);
  const endExpiry = onExpiry(budgetMs, () => control.abort(timedOut));
  const leave = (): void => control.abort(caller?.reason);
  caller?.addEventListener('abort', leave);
  try {
    const cut = new Promise<never>((_resolve, reject) => {
      control.signal.addEventListener('abort', () => reject(control.signal.reason));
    });
    const value = await Promise.race([
      runStep(step, input, { signal: control.signal, deadlineMs: budgetMs }),
      cut,
    ]);
    if (value === undefined) return ended('empty', undefined);
    return ended(step.isEnough?.(value) === false ? 'empty' : 'ok', value);
  } catch (error) {
    caller?.throwIfAborted();
    return ended(control.signal.aborted || isTimeout(error) ? 'timeout' : 'error', undefined, error);
  } finally {
    endExpiry();
    caller?.removeEventListener('abort', leave);
  }
}

/** Async, so that a step that throws at once is like one that rejects. */
async function runStep<In, Out>(
  step: FallbackStep<In, Out>,
  input: In,
  context: FallbackContext,
): Promise<Out | undefined> {
  return step.run(input, context);
}

/**
 * Every step gets this much, though the deadline be past: a process that was busy has most likely an
 * answer in memory, and that is better than none.
 */
const LEAST_MS = 20;

function budgetOf(
  { timeoutMs = Infinity, share }: { timeoutMs?: number | undefined; share?: number | undefined },
  leftMs: number,
  isLast: boolean,
): number {
  return Math.min(timeoutMs, Math.max(LEAST_MS, leftMs * (share ?? (isLast ? 1 : 0.5))));
}

/** 400 and 422 speak of the input, with which the next source would fare no better. */
function isInputFault(error: unknown): boolean {
  return error instanceof HttpError && (error.status === 400 || error.status === 422);
}

function codeOf(error: unknown): string | undefined {
  const code: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined;
  return typeof code === 'string' ? code : undefined;
}

function isTimeout(error: unknown): boolean {
  return error instanceof UpstreamTimeoutError || (error instanceof Error && error.name === 'TimeoutError');
}

/** Tells when the feature begins and stops to live on second best. */
function featureWatch(feature: string): {
  answered(degraded: boolean, source: string, error: unknown): void;
  failed(error: Error): void;
} {
  let policy: 'fallback' | 'unavailable' | undefined;

  function become(next: typeof policy, reason: string): void {
    if (policy === next) return;
    const state: FeatureState = {
      feature,
      degraded: next !== undefined,
      policy: next ?? 'fallback',
      reason,
    };
    policy = next;
    signals.featureState.publish(state);
  }

  return {
    answered(degraded, source, error) {
      if (!degraded) return become(undefined, `answers come from "${source}" again`);
      const why = error instanceof Error ? `: ${error.message}` : '';
      become('fallback', `answers come from "${source}"${why}`);
    },
    failed(error) {
      become('unavailable', error.message);
    },
  };
}

function resolveOptions<In, Out>(
  steps: readonly FallbackStep<In, Out>[],
  options: FallbackOptions,
): { name: string; deadlineMs: number } {
  requireObject('fallback', 'options', options);
  refuseUnknownOptions('fallback', options, ['name', 'deadlineMs']);
  const { name, deadlineMs = 10_000 } = options;
  requireText('fallback', 'name', name);
  requireNumber('fallback', 'deadlineMs', deadlineMs, DURATION);
  if (!Array.isArray(steps) || steps.length === 0) {
    throw wrongOption('fallback', 'steps', 'a list of at least one', steps);
  }
  const names = new Set<string>();
  for (const [index, step] of steps.entries()) {
    requireStep(`steps[${index}]`, step);
    if (names.has(step.name))
      throw new TypeError(`fallback: "steps[${index}].name" is there twice: ${step.name}`);
    names.add(step.name);
  }
  return { name, deadlineMs };
}

const STEP_NAMES = ['name', 'run', 'isEnough', 'share', 'timeoutMs', 'degraded'];

function requireStep<In, Out>(at: string, step: FallbackStep<In, Out>): void {
  requireObject('fallback', at, step);
  refuseUnknownOptions(`fallback: "${at}"`, step, STEP_NAMES);
  const { name, share, timeoutMs } = step;
  requireText('fallback', `${at}.name`, name);
  requireFunction('fallback', `${at}.run`, Reflect.get(step, 'run'));
  if (share !== undefined) requireNumber('fallback', `${at}.share`, share, { above: 0, max: 1 });
  if (timeoutMs !== undefined) requireNumber('fallback', `${at}.timeoutMs`, timeoutMs, { above: 0 });
}
