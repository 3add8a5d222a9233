import { wrongOption } from '@signalbox/options';
import type { IRouter } from 'express';
import { CriticalModuleError } from './critical-module-error.js';
import { rememberModules } from './known-modules.js';
import type { ModuleSpec } from './module.js';
import { resolveOptions, type ModulesOptions } from './options.js';
import { checkPlan } from './plan.js';
import { reportChange } from './report.js';
import { openSlot, type ModuleStatus, type Slot } from './slot.js';

/** How it stands with one module. */
export interface ModuleReport {
  readonly name: string;
  readonly prefix: string;
  /** `waiting` for others that it depends on, `loading`, `ready`, or `failed` and to be tried again. */
  readonly state: ModuleStatus;
  readonly critical: boolean;
  /** How many tries have begun. */
  readonly attempts: number;
  /** Why the last try failed; `undefined` once it is ready. */
  readonly error: unknown;
}

/** The modules of an app. */
export interface Modules {
  /**
   * Resolves when every module is ready, or has failed once, or waits for one that has. Rejects when a critical
   * module is not among the ready ones; then there are no more tries. `close()` resolves it, too.
   * Unhandled, the rejection ends the process, as a boot that has failed should.
   */
  readonly ready: Promise<void>;
  /** How it stands with the modules, in their order. */
  readonly states: () => ModuleReport[];
  /**
   * Ends all tries and calls the `close` of what was loaded, the last module first. What is loaded stays mounted.
   * Rejects with an `AggregateError` when some of them fail to close; all are tried.
   */
  readonly close: () => Promise<void>;
}

/**
 * Mounts parts of an app that load on their own, so that one that fails takes nothing else with it.
 *
 * All are loaded at the same time, each after those that it depends on. While one is not ready its prefix answers
 * 503 `module_unavailable` with `Retry-After`. One that fails or takes too long is tried again, with exponential
 * backoff and jitter, and mounted when it works, at the place where `modules()` was called.
 *
 * Every change is published as `signals.moduleState`, and goes to `log`.
 *
 * @param app an Express app or router
 * @throws {TypeError} when the modules do not fit together, or an option is wrong
 *
 * @example
 * const { ready } = modules(app, [
 *   module('search', '/api/v1', () => import('./search.js')),
 *   module('admin', '/admin', () => import('./admin.js'), { dependsOn: ['search'], critical: true }),
 * ]);
 * await ready;
 */
export function modules(app: IRouter, specs: readonly ModuleSpec[], options: ModulesOptions = {}): Modules {
  if (typeof (app as Partial<IRouter> | undefined)?.use !== 'function') {
    throw wrongOption('modules', 'app', 'an Express app or a Router', app);
  }
  if (!Array.isArray(specs)) throw wrongOption('modules', 'modules', 'a list', specs);
  const { log, backoff } = resolveOptions(options);
  checkPlan(specs);

  const slots = specs.map((spec) => openSlot(spec, backoff, changed));
  const byName = new Map(slots.map((slot) => [slot.spec.name, slot]));
  let closing: Promise<void> | undefined;
  let booted: () => void;
  let bootFailed: (error: CriticalModuleError) => void;
  let booting = true;
  const ready = new Promise<void>((resolve, reject) => {
    booted = resolve;
    bootFailed = reject;
  });

  for (const { spec, gate } of slots) app.use(spec.prefix, gate);
  rememberModules(app, slots);
  for (const slot of slots) reportChange(slot, log);
  advance();
  return { ready, states, close };

  function changed(slot: Slot): void {
    reportChange(slot, log);
    advance();
  }

  /** Begins what has all that it depends on, and sees whether the boot is over. */
  function advance(): void {
    for (const slot of slots) {
      if (slot.spec.dependsOn.every((name) => byName.get(name)?.status === 'ready')) slot.begin();
    }
    if (!booting) return;

    const missed = slots.find((slot) => slot.spec.critical && isStuck(slot));
    if (missed !== undefined) {
      booting = false;
      for (const slot of slots) slot.stop();
      bootFailed(new CriticalModuleError(missed.spec.name, causeOf(missed)));
    } else if (slots.every((slot) => slot.status === 'ready' || isStuck(slot))) {
      booting = false;
      booted();
    }
  }

  /** It has failed, or waits for one that has. */
  function isStuck({ status, spec }: Slot): boolean {
    return status === 'failed' || (status === 'waiting' && dependenciesOf(spec).some(isStuck));
  }

  function causeOf(slot: Slot): unknown {
    if (slot.status === 'failed') return slot.error;
    const [blocking] = dependenciesOf(slot.spec).filter(isStuck);
    return new Error(`It depends on "${blocking?.spec.name}", which failed to load`, {
      cause: blocking === undefined ? undefined : causeOf(blocking),
    });
  }

  function dependenciesOf(spec: ModuleSpec): Slot[] {
    return spec.dependsOn.map((name) => byName.get(name)).filter((slot) => slot !== undefined);
  }

  function states(): ModuleReport[] {
    return slots.map(({ spec, status, error, attempts }) => {
      const { name, prefix, critical } = spec;
      return { name, prefix, state: status, critical, attempts, error };
    });
  }

  function close(): Promise<void> {
    booted();
    closing ??= closeAll(slots);
    return closing;
  }
}

async function closeAll(slots: readonly Slot[]): Promise<void> {
  for (const slot of slots) slot.stop();
  const errors: unknown[] = [];
  // One after the other, since a module may use those before it until its end.
  for (const slot of slots.toReversed()) {
    await slot.close().catch((error: unknown) => errors.push(error));
  }
  if (errors.length > 0) throw new AggregateError(errors, 'Some modules failed to close');
}
