import type { Application, Request } from 'express';
import { topmost, type App } from './app-prototypes.js';
import { compileFit, type PathFit } from './path-fit.js';
import { findRoutes, mountDeclarations, UNKNOWN_MOUNT, type PathPart, type Route } from './router-walk.js';
import { knownScopeOf } from './scope.js';

/** One way to a route. */
interface Candidate {
  readonly template: string;
  readonly parts: readonly PathPart[];
  fits: PathFit | undefined;
}

/** What walks through an app have found. */
interface RouteIndex {
  /** Empty for a route that no walk has found. */
  readonly byRoute: WeakMap<Route, readonly Candidate[]>;
  /** How the app looked at the last walk. */
  layers: number;
  declarations: number;
  /** How many more walks unknown routes may cause, and when that is granted anew. */
  walksLeft: number;
  renewAtMs: number;
}

/** Routes that appear later make walks necessary; routes made anew for every request shall not. */
const WALKS_PER_SECOND = 20;

const indexes = new WeakMap<App, RouteIndex>();

/**
 * The full template of the route that the request matched, such as `/api/v1/users/:id`, with the mount
 * paths of all the routers on the way. Never a value from the URL.
 *
 * It is known once the route's handlers run, and from then on: in error handlers, and when the response
 * is finished.
 *
 * @returns what a middleware that answers without a route has put into `facts(req).route`, else `undefined`, while,
 * or when, no route has matched
 */
export function routeTemplate(req: Request): string | undefined {
  const route: Route | undefined = req.route;
  if (route === undefined) return knownScopeOf(req)?.facts.route;

  const candidates = candidatesOf(req.app, route);
  const [first] = candidates;
  if (first === undefined) return guessedTemplate(req, route);
  if (candidates.length === 1) return first.template;

  const path = pathOf(req.originalUrl);
  return (candidates.find((candidate) => fits(candidate, path)) ?? first).template;
}

/** Puts mounts and route together. */
export function templateOf(parts: readonly PathPart[]): string {
  let template = '';
  for (const part of parts) {
    const path = part instanceof RegExp ? part.source : part;
    if (path !== '/') template = template.replace(/\/+$/, '') + path;
  }
  return template === '' ? '/' : template;
}

/** Of a route that is reached through a function that nobody has declared. */
function guessedTemplate(req: Request, route: Route): string {
  const [path = '/'] = [route.path].flat();
  return templateOf([knownScopeOf(req)?.facts.prefix ?? UNKNOWN_MOUNT, path]);
}

function candidatesOf(app: Application, route: Route): readonly Candidate[] {
  const top = topmost(app);
  const index = indexOf(top);
  if (index.layers !== top.router.stack.length || index.declarations !== mountDeclarations())
    walk(top, index);

  const known = index.byRoute.get(route);
  if (known !== undefined) return known;

  // Mounted since, below the top; or out of sight, behind a function.
  if (!takeWalk(index)) return [];
  walk(top, index);
  const found = index.byRoute.get(route) ?? [];
  index.byRoute.set(route, found);
  return found;
}

function indexOf(app: App): RouteIndex {
  let index = indexes.get(app);
  if (index === undefined) {
    index = { byRoute: new WeakMap(), layers: -1, declarations: -1, walksLeft: 0, renewAtMs: 0 };
    indexes.set(app, index);
  }
  return index;
}

function takeWalk(index: RouteIndex): boolean {
  const nowMs = performance.now();
  if (nowMs >= index.renewAtMs) {
    index.renewAtMs = nowMs + 1_000;
    index.walksLeft = WALKS_PER_SECOND;
  }
  if (index.walksLeft === 0) return false;
  index.walksLeft -= 1;
  return true;
}

function walk(app: App, index: RouteIndex): void {
  const found = new Map<Route, Candidate[]>();
  for (const { route, parts } of findRoutes(app)) {
    const candidates = found.get(route) ?? [];
    found.set(route, candidates);
    const template = templateOf(parts);
    if (candidates.some((candidate) => candidate.template === template)) continue;
    candidates.push({ template, parts, fits: undefined });
  }
  for (const [route, candidates] of found) index.byRoute.set(route, candidates);
  index.layers = app.router.stack.length;
  index.declarations = mountDeclarations();
}

function fits(candidate: Candidate, path: string): boolean {
  candidate.fits ??= compileFit(candidate.parts);
  return candidate.fits(path);
}

/** The path of a request target, which may be a whole URL (RFC 9112 section 3.2.2). */
function pathOf(target: string): string {
  const path = target.startsWith('/') ? target : target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?]*/i, '');
  const end = path.indexOf('?');
  return end === -1 ? path : path.slice(0, end);
}
