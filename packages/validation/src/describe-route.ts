import type { StandardSchemaV1 } from '@standard-schema/spec';
import { refuseUnknownOptions, requireObject } from '@signalbox/options';
import type { RequestHandler } from 'express';
import type { Schemas } from './valid.js';

/** What a response is, for the OpenAPI document. It is not checked. */
export interface DescribedResponse {
  /** @default the status' reason phrase */
  description?: string | undefined;
  /** What the body is. */
  schema?: StandardSchemaV1 | undefined;
  /** @default 'application/json' */
  contentType?: string | undefined;
}

/** What the OpenAPI document says of a route besides its schemas. */
export interface RouteDescription {
  summary?: string | undefined;
  /** CommonMark. */
  description?: string | undefined;
  /** @default made of method and path, such as `getUsersById` */
  operationId?: string | undefined;
  tags?: readonly string[] | undefined;
  /** Of the request body. @default 'application/json' */
  contentType?: string | undefined;
  /** By status, or `default`. */
  responses?: Readonly<Record<string | number, DescribedResponse>> | undefined;
  /** OpenAPI security requirements; `[]` for none, where the document has one for all. */
  security?: readonly Readonly<Record<string, readonly string[]>>[] | undefined;
  deprecated?: boolean | undefined;
  /** Leaves the route out of the document. */
  hidden?: boolean | undefined;
}

/** What a handler tells of its route. */
export interface DescribedHandler {
  readonly schemas: Schemas;
  readonly description: RouteDescription;
}

/** A property, not a WeakMap of this module: two copies of the package in one app understand each other. */
const DESCRIPTION: unique symbol = Symbol.for('@signalbox/validation.description');

export const DESCRIPTION_FIELDS = [
  'summary',
  'description',
  'operationId',
  'tags',
  'contentType',
  'responses',
  'security',
  'deprecated',
  'hidden',
] as const;

/**
 * Describes a route that has no schemas to validate; one that has is described by the option
 * `describe` of `validate()`. At a request it does nothing.
 *
 * @throws {TypeError} when the description has a field that is not known
 *
 * @example
 * app.get('/ping', describeRoute({ summary: 'Answers pong', tags: ['probes'] }), ping);
 */
export function describeRoute(description: RouteDescription): RequestHandler {
  const describing: RequestHandler = function describedRoute(_req, _res, next) {
    next();
  };
  requireObject('describeRoute', 'description', description);
  refuseUnknownOptions('describeRoute', description, DESCRIPTION_FIELDS);
  attachDescription(describing, {}, description);
  return describing;
}

/** Makes `handler` tell of its route. */
export function attachDescription(
  handler: RequestHandler,
  schemas: Schemas,
  description: RouteDescription,
): void {
  const described: DescribedHandler = { schemas, description };
  Object.defineProperty(handler, DESCRIPTION, { value: described });
}

/** What a handler tells of its route, if it does. */
export function descriptionOf(handler: RequestHandler): DescribedHandler | undefined {
  return (handler as { [DESCRIPTION]?: DescribedHandler })[DESCRIPTION];
}
