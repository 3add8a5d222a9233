import { refuseUnknownOptions, requireFunction, requireObject, requireText } from '@signalbox/options';
import type { JsonSchema, ToJsonSchema } from './json-schema.js';
import type {
  OpenApiComponents,
  OpenApiInfo,
  OpenApiSecurity,
  OpenApiServer,
  OpenApiTag,
} from './openapi-types.js';

export interface OpenApiOptions {
  info: OpenApiInfo;
  servers?: readonly OpenApiServer[] | undefined;
  tags?: readonly OpenApiTag[] | undefined;
  /** What every route needs that does not say otherwise. */
  security?: readonly OpenApiSecurity[] | undefined;
  /** Joined with the schemas found; such as `securitySchemes`. */
  components?: OpenApiComponents | undefined;
  /** Path items of what is answered by middlewares and is no route. They win over routes. */
  paths?: Readonly<Record<string, Readonly<Record<string, unknown>>>> | undefined;
  /**
   * Which routes are in the document, of those that are not `hidden`.
   * @default all
   */
  include?: ((route: { readonly method: string; readonly path: string }) => boolean) | undefined;
  /** For schemas that are no Standard JSON Schema, such as valibot's `toJsonSchema`. */
  toJsonSchema?: ToJsonSchema | undefined;
  /**
   * The body of error responses.
   * @default the envelope of @signalbox/errors
   */
  errorSchema?: JsonSchema | undefined;
}

export interface ResolvedOpenApiOptions extends OpenApiOptions {
  readonly include: (route: { readonly method: string; readonly path: string }) => boolean;
  readonly errorSchema: JsonSchema;
}

const OPTIONS = [
  'info',
  'servers',
  'tags',
  'security',
  'components',
  'paths',
  'include',
  'toJsonSchema',
  'errorSchema',
] as const satisfies readonly (keyof OpenApiOptions)[];

const text = { type: 'string' } as const;

const ENVELOPE: JsonSchema = {
  type: 'object',
  properties: {
    error: {
      type: 'object',
      properties: {
        code: { type: 'integer', description: 'The status' },
        type: { ...text, description: 'A stable string to tell errors apart by' },
        message: text,
        timestamp: { ...text, format: 'date-time' },
        path: text,
        method: text,
        requestId: text,
        details: {
          description: 'Of a request that is not valid: what is wrong with which field',
          type: 'array',
          items: {
            type: 'object',
            properties: {
              in: { enum: ['params', 'query', 'headers', 'body'] },
              pointer: { ...text, format: 'json-pointer' },
              message: text,
            },
            required: ['in', 'pointer', 'message'],
          },
        },
      },
      required: ['code', 'type', 'message'],
    },
  },
  required: ['error'],
};

/** Fills in the defaults, or throws a `TypeError` naming the bad option. */
export function resolveOpenApiOptions(owner: string, options: OpenApiOptions): ResolvedOpenApiOptions {
  requireObject(owner, 'options', options);
  refuseUnknownOptions(owner, options, OPTIONS);
  const { info, include = () => true, errorSchema = ENVELOPE, toJsonSchema } = options;

  requireObject(owner, 'info', info);
  requireText(owner, 'info.title', info.title);
  requireText(owner, 'info.version', info.version);
  requireFunction(owner, 'include', include);
  if (toJsonSchema !== undefined) requireFunction(owner, 'toJsonSchema', toJsonSchema);
  return { ...options, include, errorSchema };
}
