import type { ServerLog } from '@signalbox/server';
import type { ReloadOutcome } from './reload-outcome.js';

/** The worker that a hook is about. */
export interface HookedWorker {
  /** Counts the workers of this manager, from 1. */
  readonly worker: number;
  readonly pid: number | undefined;
}

/** How a worker ended. */
export interface WorkerExit {
  readonly code: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
}

/**
 * What is called in the manager's process when something happens. What a hook throws, or rejects with, is logged and
 * stops nothing; promises are not waited for, but that of `preStop`.
 */
export interface ClusterHooks {
  /** All workers of the start are ready. */
  whenReady?: (() => unknown) | undefined;
  /** A worker is about to be started. May return variables for its environment. */
  preFork?: (() => Record<string, string> | undefined | void) | undefined;
  /** A worker listens. */
  workerReady?: ((worker: HookedWorker) => unknown) | undefined;
  /** The event loop of a worker is blocked, and it will be killed. */
  workerStuck?: ((worker: HookedWorker & { readonly stack: string | undefined }) => unknown) | undefined;
  /** A worker has ended, for whatever reason. */
  workerExit?: ((worker: HookedWorker & WorkerExit & { readonly expected: boolean }) => unknown) | undefined;
  /** A reload begins. */
  preReload?: (() => unknown) | undefined;
  /** A reload is over. */
  postReload?: ((outcome: ReloadOutcome) => unknown) | undefined;
  /** The manager was told to stop. Unless that is to be quick, it stays until a promise settles, for 5 s at most. */
  preStop?: (() => unknown) | undefined;
  /** All workers are gone. */
  stopped?: (() => unknown) | undefined;
}

export const HOOKS = [
  'whenReady',
  'preFork',
  'workerReady',
  'workerStuck',
  'workerExit',
  'preReload',
  'postReload',
  'preStop',
  'stopped',
] as const;

/** Calls a hook, and lets nothing of it out but what it returns. */
export function callHook<Name extends keyof ClusterHooks>(
  hooks: ClusterHooks,
  log: ServerLog,
  name: Name,
  ...args: Parameters<NonNullable<ClusterHooks[Name]>>
): unknown {
  const hook = hooks[name] as ((...args: unknown[]) => unknown) | undefined;
  const failed = (err: unknown): void => log.error({ err, hook: name }, `the hook ${name} failed`);
  try {
    const result = hook?.call(hooks, ...args);
    if (result instanceof Promise) result.catch(failed);
    return result;
  } catch (err) {
    failed(err);
    return undefined;
  }
}
