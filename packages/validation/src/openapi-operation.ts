import { STATUS_CODES } from 'node:http';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { DescribedHandler, DescribedResponse, RouteDescription } from './describe-route.js';
import { isJsonSchema, type JsonSchema, jsonSchemaOf, resolveRef, schemasIn } from './json-schema.js';
import type { ResolvedOpenApiOptions } from './openapi-options.js';
import type { SchemaRegistry } from './openapi-schemas.js';
import type { OpenApiOperation, OpenApiParameter, OpenApiResponse } from './openapi-types.js';
import type { Schemas } from './valid.js';

/** What operations are made with. */
export interface OperationContext {
  readonly options: ResolvedOpenApiOptions;
  readonly registry: SchemaRegistry;
}

/** A parameter of the path: what the schema calls it, and what the document does. */
export interface PathParameter {
  readonly name: string;
  readonly shownAs: string;
}

/** These are told by other means; parameters of these names are ignored (OpenAPI 3.1, section 4.8.12). */
const IGNORED_HEADERS = new Set(['accept', 'content-type', 'authorization']);

/** Joins what the handlers of one route tell; where two tell of the same, the first does. */
export function joinDescriptions(described: readonly DescribedHandler[]): DescribedHandler {
  let schemas: Schemas = {};
  let description: RouteDescription = {};
  for (const each of described) {
    schemas = { ...each.schemas, ...schemas };
    description = { ...each.description, ...description };
  }
  return { schemas, description };
}

/** The operation object of one method of one path. */
export function operation(
  { schemas, description }: DescribedHandler,
  operationId: string,
  pathParams: readonly PathParameter[],
  context: OperationContext,
): OpenApiOperation {
  const { summary, description: text, tags, deprecated, security } = description;
  const parameters = [
    ...pathParameters(schemas.params, pathParams, operationId, context),
    ...parametersOf('query', schemas.query, operationId, context),
    ...parametersOf('header', schemas.headers, operationId, context),
  ];
  const { body } = schemas;
  return {
    operationId,
    ...(summary !== undefined && { summary }),
    ...(text !== undefined && { description: text }),
    ...(tags !== undefined && { tags }),
    ...(deprecated !== undefined && { deprecated }),
    ...(security !== undefined && { security }),
    ...(parameters.length > 0 && { parameters }),
    ...(body !== undefined && { requestBody: requestBody(body, description, operationId, context) }),
    responses: responses(schemas, description, operationId, context),
  };
}

function convert(
  schema: StandardSchemaV1,
  io: 'input' | 'output',
  { options }: OperationContext,
): JsonSchema | undefined {
  return jsonSchemaOf(schema, io) ?? options.toJsonSchema?.(schema, io);
}

function pathParameters(
  schema: StandardSchemaV1 | undefined,
  pathParams: readonly PathParameter[],
  operationId: string,
  context: OperationContext,
): OpenApiParameter[] {
  const described = new Map(
    parametersOf('path', schema, operationId, context).map((parameter) => [parameter.name, parameter]),
  );
  return pathParams.map(({ name, shownAs }) => {
    const { description, schema = { type: 'string' } } = described.get(name) ?? {};
    const told = description === undefined ? {} : { description };
    return { name: shownAs, in: 'path', required: true, ...told, schema };
  });
}

function parametersOf(
  place: OpenApiParameter['in'],
  schema: StandardSchemaV1 | undefined,
  operationId: string,
  context: OperationContext,
): OpenApiParameter[] {
  if (schema === undefined) return [];
  const root = convert(schema, 'input', context) ?? {};
  const name = `${operationId}-${place}`;
  const { fields, required } = fieldsOf(root);
  if (fields.size === 0) {
    // Fields that are not known one by one, such as those of a record or a union.
    if (place !== 'query' || Object.keys(root).length === 0) return [];
    const whole = context.registry.open(root, name).root;
    return [{ name: 'query', in: 'query', required: false, style: 'form', explode: true, schema: whole }];
  }

  const embedded = context.registry.open(root, name);
  return [...fields].flatMap(([field, value]) => {
    if (place === 'header' && IGNORED_HEADERS.has(field.toLowerCase())) return [];
    const description = value['description'];
    const told = typeof description === 'string' ? { description } : {};
    return { name: field, in: place, required: required.has(field), ...told, schema: embedded.embed(value) };
  });
}

/** The fields of an object schema, those of the schemas it refers to and joins among them. */
function fieldsOf(root: JsonSchema): { fields: Map<string, JsonSchema>; required: Set<unknown> } {
  const fields = new Map<string, JsonSchema>();
  const required = new Set<unknown>();
  const seen = new Set<JsonSchema>();
  const waiting = [root];
  for (let schema = waiting.pop(); schema !== undefined; schema = waiting.pop()) {
    if (seen.has(schema)) continue;
    seen.add(schema);
    const { $ref, properties } = schema;
    const target = typeof $ref === 'string' ? resolveRef(root, $ref) : undefined;
    if (target !== undefined) waiting.push(target);
    waiting.push(...schemasIn(schema['allOf']));
    for (const [name, field] of Object.entries(isJsonSchema(properties) ? properties : {})) {
      fields.set(name, isJsonSchema(field) ? field : {});
    }
    if (Array.isArray(schema['required'])) for (const name of schema['required']) required.add(name);
  }
  return { fields, required };
}

function requestBody(
  body: StandardSchemaV1,
  { contentType = 'application/json' }: RouteDescription,
  operationId: string,
  context: OperationContext,
): NonNullable<OpenApiOperation['requestBody']> {
  const root = convert(body, 'input', context);
  const schema = root === undefined ? {} : context.registry.open(root, `${operationId}-body`).root;
  return { required: !takesUndefined(body), content: { [contentType]: { schema } } };
}

/** Whether the request may come without a body. Asynchronous schemas and those that throw do not say. */
function takesUndefined(schema: StandardSchemaV1): boolean {
  try {
    const result = schema['~standard'].validate(undefined);
    if (!('then' in result)) return result.issues === undefined;
    // What it comes to is of no interest, but must not go unheard.
    result.then(undefined, () => undefined);
    return false;
  } catch {
    return false;
  }
}

function responses(
  schemas: Schemas,
  { responses: described = {} }: RouteDescription,
  operationId: string,
  context: OperationContext,
): Record<string, OpenApiResponse> {
  const all: Record<string, OpenApiResponse> = {};
  for (const [status, response] of Object.entries(described)) {
    all[status] = describedResponse(status, response, operationId, context);
  }
  if (!Object.keys(all).some((status) => /^[23]/.test(status))) all['200'] = { description: 'OK' };

  const { body, ...others } = schemas;
  const refusesOthers = Object.values(others).some((schema) => schema !== undefined);
  if (refusesOthers) all['400'] ??= refusal('A parameter or header is not valid', context);
  if (body !== undefined) all['422'] ??= refusal('The body is not valid', context);
  return all;
}

function describedResponse(
  status: string,
  { description, schema, contentType = 'application/json' }: DescribedResponse,
  operationId: string,
  context: OperationContext,
): OpenApiResponse {
  const text = description ?? STATUS_CODES[status] ?? 'Any other response';
  if (schema === undefined) {
    return /^[45]/.test(status) ? refusal(text, context) : { description: text };
  }
  const root = convert(schema, 'output', context);
  const embedded = root === undefined ? {} : context.registry.open(root, `${operationId}-${status}`).root;
  return { description: text, content: { [contentType]: { schema: embedded } } };
}

function refusal(description: string, { options, registry }: OperationContext): OpenApiResponse {
  const schema = registry.named('Error', options.errorSchema);
  return { description, content: { 'application/json': { schema } } };
}
