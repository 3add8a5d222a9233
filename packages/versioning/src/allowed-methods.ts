import type { RequestHandler } from 'express';
import { layersOf, methodsOf } from './router-layers.js';

/** Adds the methods that a router, with those mounted in it, has for a path. Nothing of it is run. */
export function addAllowedMethods(
  router: RequestHandler,
  path: string,
  allowed: Set<string>,
  depth = 0,
): void {
  // A router mounted in itself would be walked for ever.
  if (depth > 20) return;
  for (const layer of layersOf(router)) {
    const match = matchOf(() => layer.match?.(path) ?? false);
    if (match === false) continue;
    if (layer.route !== undefined) {
      for (const method of methodsOf(layer.route)) allowed.add(method);
      continue;
    }
    const prefix = (match === true ? layer.path : match.path) ?? '';
    const rest = path.slice(prefix.length);
    addAllowedMethods(layer.handle, rest.startsWith('/') ? rest : `/${rest}`, allowed, depth + 1);
  }
}

type Match = { readonly path?: string } | boolean;

function matchOf(match: () => Match): Match {
  try {
    return match();
  } catch {
    // A path that cannot be decoded fits nothing.
    return false;
  }
}
