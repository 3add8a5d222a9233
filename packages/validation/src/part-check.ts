import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Request } from 'express';
import { type Detail, detailsOf, unknownField } from './details.js';
import { findExcess } from './limits.js';
import type { ResolvedOptions } from './options.js';
import { pointer } from './pointer.js';
import { standardValidator } from './standard-validator.js';
import { declaredFields, type Path, removedFields, withoutFields } from './unknown-fields.js';
import type { Part } from './valid.js';

/** What a part turned out to be: valid with a value, or not, with details. */
export interface PartVerdict {
  readonly part: Part;
  readonly value: unknown;
  readonly details: readonly Detail[] | undefined;
}

export interface PartCheck {
  readonly part: Part;
  /** A promise only where the schema is asynchronous. */
  check(req: Request): PartVerdict | Promise<PartVerdict>;
}

const READ: Readonly<Record<Part, (req: Request) => unknown>> = {
  params: (req) => req.params,
  query: (req) => req.query,
  headers: (req) => req.headers,
  body: (req) => req.body as unknown,
};

/** Judges one part of requests by its limits, by the fields it may have, and by its schema. */
export function partCheck(part: Part, schema: StandardSchemaV1, options: ResolvedOptions): PartCheck {
  const { maxDetails } = options;
  const read = READ[part];
  // Names of params are the route's own; headers always have fields that no schema names.
  const isFree = part === 'body' || part === 'query';
  const unknownFields = isFree ? options.unknownFields : 'schema';
  const listUnknown = unknownFields === 'schema' ? undefined : declaredFields(schema);
  const comparesOutput = unknownFields === 'reject' && listUnknown === undefined;
  const validate = standardValidator(schema);

  const refused = (details: readonly Detail[]): PartVerdict => ({ part, value: undefined, details });

  const conclude = (
    input: unknown,
    unknown: readonly Path[],
    result: StandardSchemaV1.Result<unknown>,
  ): PartVerdict => {
    if (result.issues !== undefined) {
      const named = unknown.map((path) => unknownField(part, path));
      return refused([...named, ...detailsOf(part, input, result.issues, maxDetails - named.length)]);
    }
    const removed = comparesOutput ? removedFields(input, result.value, maxDetails) : unknown;
    if (removed.length > 0) return refused(removed.map((path) => unknownField(part, path)));
    return { part, value: result.value, details: undefined };
  };

  return {
    part,
    check(req) {
      let input = read(req);
      const excess = isFree ? findExcess(input, options) : undefined;
      if (excess !== undefined) {
        return refused([{ in: part, pointer: pointer(excess.path), message: excess.message }]);
      }
      let unknown = listUnknown?.(input, maxDetails) ?? [];
      if (unknownFields === 'strip' && unknown.length > 0) {
        // All of them, not only as many as would be named.
        input = withoutFields(input, listUnknown?.(input, Infinity) ?? []);
        unknown = [];
      }
      const result = validate(input);
      if (result instanceof Promise) return result.then((settled) => conclude(input, unknown, settled));
      return conclude(input, unknown, result);
    },
  };
}
