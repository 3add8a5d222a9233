import { METHODS } from 'node:http';
import type { Application, RequestHandler } from 'express';
import { templateOf } from './route-template.js';
import { findRoutes, type Route } from './router-walk.js';

/** One method of one route. */
export interface RouteEntry {
  /** Such as `GET`; `ALL` for handlers of every method. */
  readonly method: string;
  /** The full template, such as `/api/v1/users/:id`. */
  readonly path: string;
  /** The handlers of this method in their order, with those of every method among them. */
  readonly handlers: readonly RequestHandler[];
}

/**
 * Lists every route that requests to the app can reach, nested routers and mounted apps in full, in the
 * order in which Express tries them.
 *
 * @param app an Express app or router
 *
 * @example
 * for (const { method, path } of routeTable(app)) console.log(method, path);
 */
export function routeTable(app: Application | RequestHandler): readonly RouteEntry[] {
  const entries: RouteEntry[] = [];
  for (const { route, parts, isOverridden } of findRoutes(app)) {
    if (isOverridden) continue;
    const path = templateOf(parts);
    const methods = new Set(route.stack.map((layer) => layer.method));

    // What `app.all` makes.
    if (methods.size >= METHODS.length) {
      entries.push({ method: 'ALL', path, handlers: handlersOf(route, 'get') });
      continue;
    }
    for (const method of methods) {
      entries.push({ method: method?.toUpperCase() ?? 'ALL', path, handlers: handlersOf(route, method) });
    }
  }
  return entries;
}

function handlersOf(route: Route, method: string | undefined): readonly RequestHandler[] {
  return route.stack
    .filter((layer) => layer.method === undefined || layer.method === method)
    .map((layer) => layer.handle);
}
