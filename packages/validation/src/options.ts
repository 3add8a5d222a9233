import {
  refuseUnknownOptions,
  requireInteger,
  requireObject,
  requireOneOf,
  requireText,
} from '@signalbox/options';
import { DESCRIPTION_FIELDS, type RouteDescription } from './describe-route.js';

export interface ValidateOptions {
  /**
   * Stable string of the error.
   * @default 'invalid_params', 'invalid_query', 'invalid_headers' or, for the body, 'validation_failed'
   */
  code?: string | undefined;
  /**
   * What becomes of fields in the body and the query that the schema does not name: what the schema
   * itself does, or taken out before it, or refused by name.
   * @default 'schema'
   */
  unknownFields?: 'schema' | 'strip' | 'reject' | undefined;
  /**
   * Levels of objects and arrays in a body or query.
   * @default 32
   */
  maxDepth?: number | undefined;
  /**
   * Fields and array items of a body or query, on all levels together.
   * @default 10_000
   */
  maxKeys?: number | undefined;
  /**
   * Problems named in one answer.
   * @default 20
   */
  maxDetails?: number | undefined;
  /** What the OpenAPI document says of the route besides the schemas. */
  describe?: RouteDescription | undefined;
}

export interface ResolvedOptions {
  readonly code: string | undefined;
  readonly unknownFields: 'schema' | 'strip' | 'reject';
  readonly maxDepth: number;
  readonly maxKeys: number;
  readonly maxDetails: number;
  readonly describe: RouteDescription;
}

const OPTIONS = ['code', 'unknownFields', 'maxDepth', 'maxKeys', 'maxDetails', 'describe'] as const;

/** Fills in the defaults, or throws a `TypeError` naming the bad option. */
export function resolveOptions(options: ValidateOptions): ResolvedOptions {
  requireObject('validate', 'options', options);
  refuseUnknownOptions('validate', options, OPTIONS);
  const {
    code,
    unknownFields = 'schema',
    maxDepth = 32,
    maxKeys = 10_000,
    maxDetails = 20,
    describe = {},
  } = options;

  if (code !== undefined) requireText('validate', 'code', code);
  requireOneOf('validate', 'unknownFields', unknownFields, ['schema', 'strip', 'reject']);
  requireInteger('validate', 'maxDepth', maxDepth, 1);
  requireInteger('validate', 'maxKeys', maxKeys, 1);
  requireInteger('validate', 'maxDetails', maxDetails, 1);
  requireObject('validate', 'describe', describe);
  refuseUnknownOptions('validate: "describe"', describe, DESCRIPTION_FIELDS);

  return { code, unknownFields, maxDepth, maxKeys, maxDetails, describe };
}
