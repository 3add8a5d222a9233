import type { StandardJSONSchemaV1, StandardSchemaV1 } from '@standard-schema/spec';

/** A JSON Schema of draft 2020-12, which OpenAPI 3.1 uses as it is. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** Makes a JSON Schema of a schema whose library does not offer it by itself; `undefined` if it cannot. */
export type ToJsonSchema = (schema: StandardSchemaV1, io: 'input' | 'output') => JsonSchema | undefined;

const TARGET = 'draft-2020-12';

/** What zod and valibot call leaving out what JSON Schema cannot say, such as dates and transforms. */
const LENIENT = { unrepresentable: 'any', errorMode: 'ignore' };

/**
 * The JSON Schema of what a schema takes or gives, by Standard JSON Schema (zod from 4.2, arktype,
 * valibot's `toStandardJsonSchema`). `undefined` where the schema does not offer one.
 */
export function jsonSchemaOf(schema: StandardSchemaV1, io: 'input' | 'output'): JsonSchema | undefined {
  const { jsonSchema } = schema['~standard'] as Partial<StandardJSONSchemaV1.Props>;
  if (jsonSchema === undefined) return undefined;
  try {
    return jsonSchema[io]({ target: TARGET });
  } catch {
    // A library throws rather than leave out a part; a description with a gap is better than none.
    return leniently(() => jsonSchema[io]({ target: TARGET, libraryOptions: LENIENT }));
  }
}

function leniently(convert: () => JsonSchema): JsonSchema | undefined {
  try {
    return convert();
  } catch {
    return undefined;
  }
}

export function isJsonSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The schemas in a field such as `anyOf`. */
export function schemasIn(value: unknown): JsonSchema[] {
  return Array.isArray(value) ? value.filter(isJsonSchema) : [];
}

/** What a `$ref` inside a schema means; only those into the schema itself are known. */
export function resolveRef(root: JsonSchema, ref: string): JsonSchema | undefined {
  if (ref === '#') return root;
  const name = /^#\/(?:\$defs|definitions)\/(.+)$/.exec(ref)?.[1];
  if (name === undefined) return undefined;
  const definitions = root['$defs'] ?? root['definitions'];
  const key = decodeURIComponent(name).replaceAll('~1', '/').replaceAll('~0', '~');
  const found = isJsonSchema(definitions) ? definitions[key] : undefined;
  return isJsonSchema(found) ? found : undefined;
}
