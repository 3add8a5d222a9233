import type { Application, RequestHandler } from 'express';

/** A path as it was given to `app.get` or `app.use`. */
export type PathPart = string | RegExp;

/** A route and one of the ways to it. */
export interface FoundRoute {
  /** Express' Route, what `req.route` names. */
  readonly route: Route;
  /** The mount paths from the outside in, then one of the route's own paths. */
  readonly parts: readonly PathPart[];
  /** Whether it is reached there only where another route has passed a request on: it is not listed. */
  readonly isOverridden: boolean;
}

/** What is read of Express' Route. */
export interface Route {
  readonly path: PathPart | readonly PathPart[];
  /** One layer a handler; without a method it is for all of them. */
  readonly stack: readonly { readonly method?: string | undefined; readonly handle: RequestHandler }[];
}

/** What is read of a layer of Express' router. */
interface Layer {
  readonly handle: RequestHandler;
  readonly route?: Route | undefined;
  /** Where it is mounted, since router 2.3. */
  readonly rawPath?: PathPart | readonly PathPart[] | undefined;
  /** Whether it is mounted at `/`. */
  readonly slash?: boolean;
  /** Whether another route stands before it, which is listed in its place. */
  readonly isOverridden?: boolean;
}

/** Stands for a mount path that Express has not kept (routers before 2.3). */
export const UNKNOWN_MOUNT = '/*';

const declaredMounts = new WeakMap<RequestHandler, Layer[]>();

let declarations = 0;

/**
 * Tells which routers a middleware passes requests on to, so that their routes are found although
 * Express sees only a function. Telling it again replaces what was told before.
 *
 * The middleware gets a `stack`, as routers have: tracers that put functions of theirs in the place of handlers leave what
 * has one alone, as New Relic's does, or pass it on, as Elastic's. Where the routers are known later only, tell it without any
 * before it is mounted.
 *
 * @example
 * const whenOpen = (req, res, next) => (isOpen() ? router(req, res, next) : next());
 * declareMount(whenOpen, router);
 * app.use('/api/v1', whenOpen);
 */
export function declareMount(middleware: RequestHandler, ...routers: RequestHandler[]): void {
  const layers = routers.map((handle) => ({ handle, rawPath: '/' }));
  const stack = declaredMounts.get(middleware);
  // The same list as before, which a tracer may have passed on.
  if (stack !== undefined) stack.splice(0, stack.length, ...layers);
  else {
    declaredMounts.set(middleware, layers);
    if (!('stack' in middleware))
      Object.defineProperty(middleware, 'stack', { enumerable: true, value: layers });
  }
  declarations += 1;
}

/** Grows with every declared mount. */
export function mountDeclarations(): number {
  return declarations;
}

/** Finds every route below an app or router in the order in which Express tries them. */
export function* findRoutes(root: Application | RequestHandler): Generator<FoundRoute> {
  yield* below(stackOf(root), [], []);
}

function* below(
  stack: readonly Layer[],
  mounts: readonly PathPart[],
  outer: readonly (readonly Layer[])[],
): Generator<FoundRoute> {
  // A router mounted in itself would be walked for ever.
  if (outer.includes(stack)) return;

  for (const layer of stack) {
    if (layer.route !== undefined) {
      const { route, isOverridden = false } = layer;
      for (const path of list(route.path)) yield { route, parts: [...mounts, path], isOverridden };
      continue;
    }
    for (const inner of stacksBehind(unwrapped(layer.handle))) {
      for (const mount of mountsOf(layer)) {
        yield* below(inner, [...mounts, mount], [...outer, stack]);
      }
    }
  }
}

/** Its own layers, and those of the routers that it was declared to pass requests on to. */
function stacksBehind(handle: RequestHandler): Set<readonly Layer[]> {
  return new Set([stackOf(appBehind(handle) ?? handle), declaredMounts.get(handle) ?? []]);
}

/** Wrappers around wrappers; more are a circle. */
const MAX_WRAPPERS = 10;

/** Tracers such as OpenTelemetry put functions of theirs in the place of handlers, which they keep under this name. */
function unwrapped(handle: RequestHandler): RequestHandler {
  let inner = handle;
  for (let depth = 0; depth < MAX_WRAPPERS; depth += 1) {
    const original = property(inner, '__original');
    if (typeof original !== 'function') break;
    inner = original as RequestHandler;
  }
  return inner;
}

function mountsOf(layer: Layer): readonly PathPart[] {
  if (layer.rawPath !== undefined) return list(layer.rawPath);
  return layer.slash === true ? ['/'] : [UNKNOWN_MOUNT];
}

function list(paths: PathPart | readonly PathPart[]): readonly PathPart[] {
  return typeof paths === 'string' || paths instanceof RegExp ? [paths] : paths.flat(Infinity);
}

/** The layers of an app or a router; none for any other function. */
function stackOf(handle: unknown): readonly Layer[] {
  const router: unknown = property(handle, 'router') ?? handle;
  const stack = property(router, 'stack');
  return Array.isArray(stack) ? stack : [];
}

/**
 * The app behind the function under which Express mounts it. The function tells nobody, but the app
 * begins a request by making its own `app.request` the prototype.
 */
function appBehind(handle: RequestHandler): unknown {
  if (handle.name !== 'mounted_app') return undefined;

  let app: unknown;
  const request = new Proxy(
    {},
    {
      setPrototypeOf(_target, prototype) {
        app = property(prototype, 'app');
        // Ends it there, with a TypeError.
        return false;
      },
    },
  );
  try {
    Reflect.apply(handle, undefined, [request, { setHeader: () => undefined }, () => undefined]);
  } catch {
    // As intended; or it is no app of Express', and has no routes to find.
  }
  return app;
}

function property(of: unknown, name: string): unknown {
  if ((typeof of !== 'object' && typeof of !== 'function') || of === null) return undefined;
  return Reflect.get(of, name);
}
