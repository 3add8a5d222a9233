import type { StandardSchemaV1 } from '@standard-schema/spec';

type Result = StandardSchemaV1.Result<unknown>;

/** The asynchronous parser that zod's schemas have beside the standard's `validate`. */
interface ZodLike {
  safeParseAsync(value: unknown): Promise<ZodResult>;
}

type ZodResult =
  | { readonly success: true; readonly data: unknown }
  | { readonly success: false; readonly error: { readonly issues: readonly StandardSchemaV1.Issue[] } };

/** The function that validates by a schema: a promise only where the schema is asynchronous. */
export function standardValidator(schema: StandardSchemaV1): (value: unknown) => Result | Promise<Result> {
  const standard = schema['~standard'];
  if (standard.vendor === 'zod' && isZodLike(schema)) return zodValidator(schema, standard);

  return function validateByStandard(value) {
    const result = standard.validate(value);
    return isPromise(result) ? Promise.resolve(result) : result;
  };
}

/**
 * zod's `validate` tries every schema synchronously first. Of an asynchronous one that runs the
 * refinements twice, and the promises of the first time are dropped: should one reject, as with its
 * database gone, nobody hears it and the process ends. So the asynchronous parser is asked, until a
 * value that has just passed it shows that the schema needs no waiting.
 */
function zodValidator(
  schema: ZodLike,
  standard: StandardSchemaV1.Props,
): (value: unknown) => Result | Promise<Result> {
  let kind: 'untried' | 'sync' | 'async' = 'untried';

  const tryOut = async (value: unknown): Promise<Result> => {
    const parsed = await schema.safeParseAsync(value);
    if (parsed.success && kind === 'untried') {
      const again = standard.validate(value);
      kind = isPromise(again) ? 'async' : 'sync';
      if (isPromise(again)) again.catch(() => undefined);
    }
    return toResult(parsed);
  };

  return function validateByZod(value) {
    if (kind === 'untried') return tryOut(value);
    if (kind === 'async') return schema.safeParseAsync(value).then(toResult);

    const result = standard.validate(value);
    // In a part of the schema that no request had reached before.
    if (isPromise(result)) kind = 'async';
    return result;
  };
}

function toResult(result: ZodResult): Result {
  return result.success ? { value: result.data } : { issues: result.error.issues };
}

function isZodLike(schema: object): schema is ZodLike {
  return 'safeParseAsync' in schema && typeof schema.safeParseAsync === 'function';
}

function isPromise<Value extends object>(value: Value | Promise<Value>): value is Promise<Value> {
  return 'then' in value && typeof value.then === 'function';
}
