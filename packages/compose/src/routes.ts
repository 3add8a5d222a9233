import { Router, type IRouter, type RequestHandler } from 'express';
import { routeTable, type RouteEntry } from '@signalbox/context';
import { modulesOf } from './known-modules.js';
import type { ModuleStatus, Slot } from './slot.js';

/** One row of the route table. */
export interface RouteRow {
  /** Such as `GET`; `ALL` for handlers of every method. */
  readonly method: string;
  /** The full template, such as `/api/v1/users/:id`; `/api/v1/*` for a module without known routes. */
  readonly path: string;
  /** Names of the handlers in their order. */
  readonly handlers: readonly string[];
  /** The module that the route belongs to. */
  readonly module: string | undefined;
  readonly state: ModuleStatus | undefined;
}

/**
 * Lists the routes of an app, nested routers in full, with the modules that they belong to. A module whose routes
 * are not known, since it is not loaded or is a plain handler, has one row for its whole prefix.
 *
 * @param app the app or router that `modules()` was called with
 *
 * @example
 * console.log(formatRoutes(routes(app)));
 */
export function routes(app: IRouter): RouteRow[] {
  const owned = modulesOf(app).map((slot) => ({ slot, entries: routesOf(slot) }));
  const rows = tableOf(app).map((entry): RouteRow => {
    const owner = owned.find(({ entries }) => entries.some((candidate) => isSame(candidate, entry)))?.slot;
    const handlers = entry.handlers.map(({ name }) => (name === '' ? '<anonymous>' : name));
    return {
      method: entry.method,
      path: entry.path,
      handlers,
      module: owner?.spec.name,
      state: owner?.status,
    };
  });
  for (const { slot, entries } of owned) {
    if (entries.length > 0) continue;
    const { name, prefix } = slot.spec;
    const path = prefix === '/' ? '/*' : `${prefix}/*`;
    rows.push({ method: 'ALL', path, handlers: [], module: name, state: slot.status });
  }
  return rows;
}

/** The routes of a module alone, with its prefix. */
function routesOf({ spec, gate }: Slot): readonly RouteEntry[] {
  return tableOf(Router().use(spec.prefix, gate));
}

function tableOf(app: IRouter): readonly RouteEntry[] {
  return routeTable(app as IRouter & RequestHandler);
}

function isSame(one: RouteEntry, other: RouteEntry): boolean {
  return one.method === other.method && one.path === other.path && one.handlers[0] === other.handlers[0];
}

/** The route table as text, a line a route, for a terminal. */
export function formatRoutes(rows: readonly RouteRow[]): string {
  const cells = rows.map(({ method, path, module, state }) => [
    method,
    path,
    module === undefined ? '' : `${module} (${state})`,
  ]);
  const widths = [0, 1].map((column) => Math.max(0, ...cells.map((row) => row[column]?.length ?? 0)));
  return cells
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
