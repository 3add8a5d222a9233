import { routeTable } from '@signalbox/context';
import type { Application, RequestHandler } from 'express';
import { descriptionOf } from './describe-route.js';
import {
  joinDescriptions,
  operation,
  type OperationContext,
  type PathParameter,
} from './openapi-operation.js';
import { type OpenApiOptions, resolveOpenApiOptions } from './openapi-options.js';
import { openApiPaths } from './openapi-paths.js';
import { schemaRegistry } from './openapi-schemas.js';
import type { OpenApiDocument, OpenApiOperation } from './openapi-types.js';

/** The methods that a path item can have (OpenAPI 3.1, section 4.8.9). */
const METHODS = new Set(['GET', 'PUT', 'POST', 'DELETE', 'OPTIONS', 'HEAD', 'PATCH', 'TRACE']);

/** What a route for every method is shown as, where no other route tells which methods are meant. */
const ALL_METHODS = ['GET', 'PUT', 'POST', 'DELETE', 'PATCH'];

/** The handlers of one method of one path, wherever they were added. */
interface Operation {
  readonly method: string;
  readonly path: string;
  readonly params: PathParameter[];
  readonly handlers: RequestHandler[];
}

/**
 * Describes the routes of an app as an OpenAPI 3.1 document: their paths and methods from the routers,
 * parameters and bodies from the schemas given to `validate()`, the rest from descriptions.
 *
 * @param app an Express app or router, with its routes added
 * @throws {TypeError} when an option is missing or wrong
 *
 * @example
 * const document = openapi(app, { info: { title: 'Search', version: '1.4.0' } });
 */
export function openapi(app: Application | RequestHandler, options: OpenApiOptions): OpenApiDocument {
  const resolved = resolveOpenApiOptions('openapi', options);
  const { info, servers, tags, security, components = {}, paths: extraPaths = {} } = resolved;
  const registry = schemaRegistry(components['schemas']);
  const paths = { ...pathItems(operationsOf(app), { options: resolved, registry }), ...extraPaths };
  const { schemas } = registry;

  return {
    openapi: '3.1.0',
    info,
    ...(servers !== undefined && { servers }),
    ...(tags !== undefined && { tags }),
    ...(security !== undefined && { security }),
    paths,
    components: { ...components, ...(Object.keys(schemas).length > 0 && { schemas }) },
  };
}

/** The operations of an app in the order of its routes, with the handlers of each joined. */
function operationsOf(app: Application | RequestHandler): readonly Operation[] {
  const operations = new Map<string, Operation>();
  const forAll: Operation[] = [];
  // Paths that differ only in the names of parameters are one path (OpenAPI 3.1, section 4.8.8): the
  // names of the first are used for all.
  const firsts = new Map<string, { path: string; params: readonly string[] }>();

  for (const { method, path: template, handlers } of routeTable(app)) {
    for (const found of openApiPaths(template)) {
      const shape = found.path.replace(/\{[^}]*\}/g, '{}');
      const first = firsts.get(shape) ?? found;
      firsts.set(shape, first);
      const params = found.params.map((name, i) => ({ name, shownAs: first.params[i] ?? name }));
      const entry: Operation = { method, path: first.path, params, handlers: [...handlers] };
      if (method === 'ALL') forAll.push(entry);
      else if (METHODS.has(method)) join(operations, entry);
    }
  }
  for (const entry of forAll) {
    const methods = [...operations.values()].filter(({ path }) => path === entry.path);
    const shown = methods.length > 0 ? methods.map(({ method }) => method) : ALL_METHODS;
    for (const method of shown) join(operations, { ...entry, method, handlers: [...entry.handlers] });
  }
  return [...operations.values()];
}

function join(operations: Map<string, Operation>, entry: Operation): void {
  const key = `${entry.method} ${entry.path}`;
  const known = operations.get(key);
  if (known === undefined) operations.set(key, entry);
  else known.handlers.push(...entry.handlers);
}

function pathItems(
  operations: readonly Operation[],
  context: OperationContext,
): Record<string, Record<string, OpenApiOperation>> {
  const items: Record<string, Record<string, OpenApiOperation>> = {};
  const ids = new Set<string>();
  for (const { method, path, params, handlers } of operations) {
    const described = joinDescriptions(handlers.flatMap((handler) => descriptionOf(handler) ?? []));
    if (described.description.hidden === true || !context.options.include({ method, path })) continue;

    const id = uniqueId(described.description.operationId ?? operationIdOf(method, path), ids);
    const item = (items[path] ??= {});
    item[method.toLowerCase()] = operation(described, id, params, context);
  }
  return items;
}

/** Such as `getUsersById` for `GET /users/{id}`. */
function operationIdOf(method: string, path: string): string {
  const words = path
    .replace(/\{([^}]*)\}/g, ' by $1 ')
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '');
  const camel = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
  return method.toLowerCase() + (camel === '' ? 'Root' : camel);
}

function uniqueId(wanted: string, taken: Set<string>): string {
  let id = wanted;
  for (let n = 2; taken.has(id); n++) id = `${wanted}${n}`;
  taken.add(id);
  return id;
}
