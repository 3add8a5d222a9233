import { refuseUnknownOptions, requireBoolean, requireMilliseconds, wrongOption } from '@signalbox/options';
import type { RequestHandler } from 'express';

/** What a load is told. */
export interface LoadContext {
  /** Aborted when the load takes too long, and when the modules are closed. */
  readonly signal: AbortSignal;
  /** 1 for the first try. */
  readonly attempt: number;
}

/** What a load gives: a router or a middleware, or an object (such as an ES module) that holds one. */
export type Loaded =
  | RequestHandler
  | {
      readonly default?: unknown;
      readonly router?: unknown;
      /** Called when the modules are closed. */
      readonly close?: unknown;
    };

/** Makes the module's router. */
export type Load = (context: LoadContext) => Loaded | PromiseLike<Loaded>;

/** Options of {@link module}. */
export interface ModuleOptions {
  /**
   * The app is nothing without it: when the first try fails, `ready` rejects.
   * @default false
   */
  critical?: boolean | undefined;
  /**
   * Names of the modules that have to be ready before this one is loaded.
   * @default []
   */
  dependsOn?: readonly string[] | undefined;
  /**
   * How long one try may take, in milliseconds.
   * @default 10_000
   */
  timeoutMs?: number | undefined;
}

/** A part of the app, before it is loaded. Made by {@link module}. */
export interface ModuleSpec {
  readonly name: string;
  /** Without a slash at its end, except for `/` itself. */
  readonly prefix: string;
  readonly load: Load;
  /** Whether it is loaded by the URL of a file. */
  readonly byUrl: boolean;
  readonly critical: boolean;
  readonly dependsOn: readonly string[];
  readonly timeoutMs: number;
}

const OPTIONS = ['critical', 'dependsOn', 'timeoutMs'];

/**
 * Describes a part of the app that loads on its own, for `modules()`.
 *
 * @param name stands in logs and metrics
 * @param prefix where its routes are mounted, such as `/api/v1` or `/tenants/:tenant`
 * @param load makes the router: `() => import('./search.js')`. Or the URL of an ES module,
 *   `new URL('./search.js', import.meta.url)`: Node keeps a failed evaluation, and by its URL the file is evaluated
 *   anew at every try, though not what it imports
 * @throws {TypeError} when an argument is wrong
 */
export function module(
  name: string,
  prefix: string,
  load: Load | URL,
  options: ModuleOptions = {},
): ModuleSpec {
  if (typeof name !== 'string' || !/^[A-Za-z][\w.-]{0,63}$/.test(name)) {
    throw wrongOption('module', 'name', 'letters, digits, dots, dashes and underscores', name);
  }
  if (typeof prefix !== 'string' || !/^\/[^?#\s]*$/.test(prefix)) {
    throw wrongOption('module', 'prefix', 'a path that begins with a slash', prefix);
  }
  if (typeof load !== 'function' && !(load instanceof URL)) {
    throw wrongOption('module', 'load', 'a function or a URL', load);
  }
  refuseUnknownOptions('module', options, OPTIONS);
  const { critical = false, dependsOn = [], timeoutMs = 10_000 } = options;
  requireBoolean('module', 'critical', critical);
  if (!Array.isArray(dependsOn) || dependsOn.some((other) => typeof other !== 'string')) {
    throw wrongOption('module', 'dependsOn', 'a list of names', dependsOn);
  }
  requireMilliseconds('module', 'timeoutMs', timeoutMs);
  return {
    name,
    prefix: prefix.replace(/(?<=.)\/+$/, ''),
    load: load instanceof URL ? loadFrom(load) : load,
    byUrl: load instanceof URL,
    critical,
    dependsOn: [...new Set<string>(dependsOn)],
    timeoutMs,
  };
}

function loadFrom(url: URL): Load {
  return async ({ attempt }) => {
    const href = new URL(url);
    if (attempt > 1) href.searchParams.set('attempt', String(attempt));
    return (await import(href.href)) as Loaded;
  };
}

/** What was loaded, as it will be used. */
export interface LoadedModule {
  handler: RequestHandler;
  close: (() => unknown) | undefined;
}

/**
 * Finds the router in what a load gave.
 *
 * @throws {TypeError} when there is none
 */
export function unwrapLoaded(name: string, loaded: unknown): LoadedModule {
  const holder = (typeof loaded === 'object' && loaded !== null ? loaded : {}) as Exclude<
    Loaded,
    RequestHandler
  >;
  const close = typeof holder.close === 'function' ? (holder.close as () => unknown) : undefined;
  return { handler: requireHandler(name, findHandler(loaded, 0)), close };
}

/** A CommonJS module that was an ES module once has its default export in its default export. */
function findHandler(loaded: unknown, depth: number): unknown {
  if (typeof loaded !== 'object' || loaded === null || depth > 2) return loaded;
  const { router, default: fallback } = loaded as Exclude<Loaded, RequestHandler>;
  return findHandler(router ?? fallback, depth + 1);
}

function requireHandler(name: string, handler: unknown): RequestHandler {
  const wrong = (got: string): TypeError => {
    return new TypeError(
      `modules: "${name}" must load a Router, or an object with one as "default" or "router", got ${got}`,
    );
  };
  if (typeof handler !== 'function') throw wrong(handler === null ? 'null' : typeof handler);
  if (handler.length > 3) throw wrong('an error handler');
  // An app brings prototypes of its own for req and res, and slows every request that passes it down.
  if ('mountpath' in handler) throw wrong('an app');
  return handler as RequestHandler;
}
