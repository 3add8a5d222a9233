import type { RequestHandler } from 'express';
import { layersOf, methodsOf, type Layer } from './router-layers.js';

/**
 * The routers of a version as the walk through an app's routes sees them: what an older one has and a newer one
 * overrides is marked, lest it be listed and described under the newer one's path. It is still found there by requests that
 * the newer one passes on.
 */
export function routeView(routers: readonly RequestHandler[]): RequestHandler {
  function neverCalled(): void {
    throw new Error('A view of routes handles no requests');
  }
  return Object.defineProperty(neverCalled, 'stack', {
    // Routes may be added later.
    get: () => {
      const taken = new Set<string>();
      return routers.flatMap((router) => {
        const view: View = { taken, own: new Set() };
        const layers = visible(layersOf(router), '', view, []);
        for (const name of view.own) taken.add(name);
        return layers;
      });
    },
  });
}

interface View {
  /** Methods and paths of newer versions. */
  readonly taken: ReadonlySet<string>;
  /** Those of this one, which may have several of a kind: the first may pass on to the second. */
  readonly own: Set<string>;
}

function visible(
  layers: readonly Layer[],
  mount: string,
  view: View,
  outer: readonly (readonly Layer[])[],
): Layer[] {
  // A router mounted in itself would be walked for ever.
  if (outer.includes(layers)) return [];
  const seen: Layer[] = [];
  for (const layer of layers) {
    const { route } = layer;
    if (route === undefined) {
      seen.push(layersOf(layer.handle).length === 0 ? layer : inner(layer, mount, view, [...outer, layers]));
      continue;
    }
    const names = methodsOf(route).map((method) => `${method} ${mount}${textOf(route.path)}`);
    // Where some of its methods are overridden and some are not, it stays.
    if (names.length > 0 && names.every((name) => view.taken.has(name))) {
      seen.push({ handle: layer.handle, route, isOverridden: true });
      continue;
    }
    for (const name of names) view.own.add(name);
    seen.push(layer);
  }
  return seen;
}

function inner(layer: Layer, mount: string, view: View, outer: readonly (readonly Layer[])[]): Layer {
  const stack = visible(layersOf(layer.handle), `${mount}${textOf(layer.rawPath)}`, view, outer);
  const handle: RequestHandler = (_req, _res, next) => next();
  Object.defineProperty(handle, 'stack', { value: stack });
  return { handle, rawPath: layer.rawPath, slash: layer.slash ?? false };
}

/** Paths by which two routes are the same: parameters by their place, whatever their names. */
function textOf(path: unknown): string {
  return String(path)
    .replace(/\/+$/, '')
    .replace(/:(?:"[^"]*"|[\p{ID_Continue}$]+)/gu, ':')
    .toLowerCase();
}
