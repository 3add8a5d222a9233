import type { RequestHandler } from 'express';
import { declareMount, facts } from '@signalbox/context';
import { ServiceUnavailableError } from '@signalbox/errors';
import { unwrapLoaded, type LoadedModule, type ModuleSpec } from './module.js';

/** How it stands with a module. */
export type ModuleStatus = 'waiting' | 'loading' | 'ready' | 'failed';

/** How long to wait between tries. */
export interface Backoff {
  minMs: number;
  maxMs: number;
}

/** The place of one module in the app, before and after it is loaded. */
export interface Slot {
  readonly spec: ModuleSpec;
  /** Stands at the module's place in the app and passes requests on to what is loaded, or refuses them. */
  readonly gate: RequestHandler;
  readonly status: ModuleStatus;
  /** Why the last try failed. */
  readonly error: unknown;
  /** The last try failed with the very error of the one before: nothing was tried anew. */
  readonly sameError: boolean;
  /** How many tries have begun. */
  readonly attempts: number;
  /** Milliseconds until the next try, where one is planned. */
  readonly retryInMs: number | undefined;
  /** Makes the first try. */
  begin(): void;
  /** No more tries. */
  stop(): void;
  /** Stops, and closes what was loaded. */
  close(): Promise<void>;
}

/** A load that never ends cannot be stopped, so that there may not be too many of them. */
const MAX_UNSETTLED = 5;

/**
 * Loads a module, and tries again until it works.
 *
 * @param onChange called after the status has changed, and after every try that failed
 */
export function openSlot(spec: ModuleSpec, backoff: Backoff, onChange: (slot: Slot) => void): Slot {
  let status: ModuleStatus = 'waiting';
  let error: unknown;
  let loaded: LoadedModule | undefined;
  let attempts = 0;
  let failures = 0;
  let unsettled = 0;
  let retryAt: number | undefined;
  let retryTimer: NodeJS.Timeout | undefined;
  let sameError = false;
  let stopped = false;
  let closed: Promise<void> | undefined;
  const running = new Set<AbortController>();

  const gate: RequestHandler = (req, res, next) => {
    facts(req).prefix = spec.prefix;
    return loaded === undefined ? next(unavailable(slot)) : loaded.handler(req, res, next);
  };
  // Express shows it in its layers, and profilers in their stacks.
  Object.defineProperty(gate, 'name', { value: `module ${spec.name}` });
  // What there is to declare comes once it has loaded.
  declareMount(gate);

  const slot: Slot = {
    spec,
    gate,
    get status() {
      return status;
    },
    get error() {
      return error;
    },
    get sameError() {
      return sameError;
    },
    get attempts() {
      return attempts;
    },
    get retryInMs() {
      return retryAt === undefined ? undefined : Math.max(0, retryAt - performance.now());
    },
    begin() {
      if (stopped || status !== 'waiting') return;
      status = 'loading';
      tryToLoad();
    },
    stop,
    close() {
      stop();
      closed ??= loaded === undefined ? Promise.resolve() : closeLoaded(loaded);
      return closed;
    },
  };
  return slot;

  function tryToLoad(): void {
    retryAt = undefined;
    if (stopped) return;
    if (unsettled >= MAX_UNSETTLED) return planRetry();

    attempts += 1;
    unsettled += 1;
    const control = new AbortController();
    running.add(control);
    // A program that is still starting waits for it: this timer is not unref'ed.
    const timer = setTimeout(() => {
      const late = new Error(`did not load within ${spec.timeoutMs} ms`);
      end(control);
      fail(late);
      control.abort(late);
    }, spec.timeoutMs);
    control.signal.addEventListener('abort', () => clearTimeout(timer), { once: true });

    load(attempts, control.signal).then(
      (result) => {
        unsettled -= 1;
        clearTimeout(timer);
        end(control);
        succeed(result);
      },
      (reason: unknown) => {
        unsettled -= 1;
        clearTimeout(timer);
        // After its time was up the failure is known.
        if (end(control)) fail(reason);
      },
    );
  }

  /** Whether it was running until now. */
  function end(control: AbortController): boolean {
    return running.delete(control);
  }

  async function load(attempt: number, signal: AbortSignal): Promise<LoadedModule> {
    return unwrapLoaded(spec.name, await spec.load({ signal, attempt }));
  }

  /** Also what comes too late is welcome, where nothing came since. */
  function succeed(result: LoadedModule): void {
    if (stopped || loaded !== undefined) {
      // Nobody waits for it, and nobody else would close it.
      closeLoaded(result).catch((reason: unknown) => process.emitWarning(String(reason)));
      return;
    }
    loaded = result;
    status = 'ready';
    error = undefined;
    stopRetry();
    declareMount(gate, result.handler);
    onChange(slot);
  }

  function fail(reason: unknown): void {
    if (stopped || loaded !== undefined) return;
    status = 'failed';
    failures += 1;
    sameError = failures > 1 && reason === error && typeof reason === 'object';
    error = reason;
    planRetry();
    onChange(slot);
  }

  function planRetry(): void {
    stopRetry();
    const longest = Math.min(backoff.maxMs, backoff.minMs * 2 ** Math.max(0, failures - 1));
    // Jitter, so that the modules of many processes do not come back to a database all at once.
    const delayMs = longest * (0.5 + Math.random() / 2);
    retryAt = performance.now() + delayMs;
    retryTimer = setTimeout(tryToLoad, delayMs).unref();
  }

  function stopRetry(): void {
    clearTimeout(retryTimer);
    retryAt = undefined;
  }

  function stop(): void {
    stopped = true;
    stopRetry();
    const reason = new Error('The modules are closed');
    for (const control of running) control.abort(reason);
    running.clear();
  }
}

async function closeLoaded({ close }: LoadedModule): Promise<void> {
  await close?.();
}

function unavailable({ spec, retryInMs }: Slot): ServiceUnavailableError {
  return new ServiceUnavailableError(`The module "${spec.name}" is not available`, {
    code: 'module_unavailable',
    expose: true,
    retryAfterSeconds: Math.max(1, (retryInMs ?? 0) / 1000),
  });
}
