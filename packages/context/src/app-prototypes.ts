import type { EventEmitter } from 'node:events';
import type { Application, Request, Response } from 'express';
import { knownScopeOf, scopeOf, storage, type HttpScope } from './scope.js';

/** What Express' types leave out. A mounted app's prototypes inherit from those of the app above it. */
export interface App extends Application {
  readonly parent?: App | undefined;
  readonly request: Request;
  readonly response: Response;
}

const extended = new WeakSet<object>();

/** The app that the server calls. */
export function topmost(app: Application): App {
  let top = app as App;
  while (top.parent !== undefined) top = top.parent;
  return top;
}

/**
 * Extends `app.request` and `app.response`, Express' prototypes for this, once an app: the getters
 * cost a request nothing until they are read.
 */
export function extendPrototypes(app: Application): void {
  const { request, response } = topmost(app);
  if (extended.has(request)) return;
  extended.add(request);

  addGetter(request, 'trace', (req) => scopeOf(req).trace);
  addGetter(request, 'signal', (req) => scopeOf(req).signal);
  addGetter(request, 'deadline', (req) => knownScopeOf(req)?.deadline);
  keepScope(request, (req: Request) => knownScopeOf(req));
  keepScope(response, (res: Response) => knownScopeOf(res.req));
}

/** Assigning makes a property of the request's own, as if there were no getter. */
function addGetter(prototype: Request, name: string, get: (req: Request) => unknown): void {
  Object.defineProperty(prototype, name, {
    configurable: true,
    get(this: Request) {
      return get(this);
    },
    set(this: Request, value: unknown) {
      Object.defineProperty(this, name, { configurable: true, enumerable: true, writable: true, value });
    },
  });
}

/**
 * Node emits the events of a request from its socket, which belongs to no request: without this,
 * a listener (of a body parser, say) and all that it starts would have lost the scope.
 */
function keepScope<Emitter extends EventEmitter>(
  prototype: Emitter,
  find: (emitter: Emitter) => HttpScope | undefined,
): void {
  const emit: unknown = Reflect.get(prototype, 'emit');
  if (typeof emit !== 'function') return;

  Object.defineProperty(prototype, 'emit', {
    configurable: true,
    writable: true,
    value: function emitInScope(this: Emitter, ...event: Parameters<EventEmitter['emit']>): boolean {
      const scope = find(this);
      if (scope === undefined || !scope.entered || storage.getStore() === scope) {
        return Reflect.apply(emit, this, event);
      }
      return storage.run(scope, () => Reflect.apply(emit, this, event));
    },
  });
}
