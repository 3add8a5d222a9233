import type { StandardSchemaV1 } from '@standard-schema/spec';

type Result = StandardSchemaV1.Result<unknown>;

/** What zod's schemas have beside the standard's `validate`. */
interface ZodLike {
  safeParseAsync(value: unknown): Promise<ZodResult>;
  /** From version 4 on. */
  readonly _zod?: { run(payload: ZodPayload, context: { async: boolean }): ZodPayload | Promise<ZodPayload> };
}

interface ZodPayload {
  readonly value: unknown;
  readonly issues: readonly unknown[];
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
 * zod's `validate` tries every schema synchronously first. Where it comes upon an asynchronous refinement it begins
 * anew, and drops the promise that it had: should that one reject, as with its database gone, nobody hears it and the
 * process ends. So the schema is run as its asynchronous parser runs it, which waits for nothing where nothing has to be
 * waited for. Issues get their words from the parsers.
 */
function zodValidator(
  schema: ZodLike,
  standard: StandardSchemaV1.Props,
): (value: unknown) => Result | Promise<Result> {
  // Of zod 3 nobody knows beforehand.
  let isAsync = schema._zod === undefined;
  const parse = async (value: unknown): Promise<Result> => toResult(await schema.safeParseAsync(value));

  return function validateByZod(value) {
    const ran = isAsync ? undefined : schema._zod?.run({ value, issues: [] }, { async: true });
    if (ran === undefined) return parse(value);
    if (!isPromise(ran)) return ran.issues.length === 0 ? { value: ran.value } : standard.validate(value);

    isAsync = true;
    return ran.then((late) => (late.issues.length === 0 ? { value: late.value } : parse(value)));
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
