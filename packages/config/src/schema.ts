import type { z } from 'zod';
import type { SettingAbout } from './setting.js';

/** One key of the schema: what `config` has to know of it besides parsing it. */
export interface Field {
  name: string;
  schema: z.core.$ZodType;
  /** `number` and `boolean` are read strictly from text, `json` is parsed; everything else reads the text itself. */
  reads: 'text' | 'number' | 'boolean' | 'json';
  /** What the value must be, such as `a port from 0 to 65535`. */
  wanted: string;
  description: string | undefined;
  /** The schema fills it in, or does without it. */
  optional: boolean;
  default: unknown;
  redacted: boolean;
  about: SettingAbout | undefined;
}

/**
 * Reads the fields of a zod object.
 *
 * @throws {TypeError} when it is none, or when a key is no name of an environment variable
 */
export function fieldsOf(caller: string, schema: z.ZodObject): Map<string, Field> {
  const type: unknown = (schema as Partial<z.ZodObject> | undefined)?.def?.type;
  if (type !== 'object') {
    throw new TypeError(`${caller}: "schema" must be a zod object, such as z.object({ PORT: port() })`);
  }
  const fields = new Map<string, Field>();
  for (const [name, field] of Object.entries<z.core.$ZodType>(schema.shape)) {
    requireVariableName(caller, name);
    fields.set(name, fieldOf(name, field));
  }
  return fields;
}

function requireVariableName(caller: string, name: string): void {
  if (/^[A-Z][A-Z0-9_]*$/.test(name)) return;
  throw new TypeError(
    `${caller}: the schema's keys must be names of environment variables, such as ${upperCase(name)}, got "${name}"`,
  );
}

function fieldOf(name: string, schema: z.core.$ZodType): Field {
  const layers = unwrapped(schema);
  const leaf = layers.at(-1) ?? schema;
  const { setting, secret, description } = metaOfAll(layers);
  const filled = layers.map((layer) => layer._zod.def).find((def) => 'defaultValue' in def);
  return {
    name,
    schema,
    reads: readsOf(leaf),
    wanted: setting?.wanted ?? wantedOf(leaf),
    description,
    optional: layers.some((layer) =>
      ['optional', 'default', 'prefault', 'catch'].includes(layer._zod.def.type),
    ),
    default: filled === undefined ? undefined : (filled as { defaultValue: unknown }).defaultValue,
    redacted: secret ?? (saysSecret(name) || holdsSecret(schema)),
    about: setting,
  };
}

interface Meta {
  setting?: SettingAbout;
  secret?: boolean;
  description?: string;
}

/** What is said of a schema, whichever of its wrappers says it. */
function metaOfAll(layers: readonly z.core.$ZodType[]): Meta {
  return Object.assign({}, ...layers.toReversed().map(metaOf)) as Meta;
}

function metaOf(schema: z.core.$ZodType): Meta {
  // The schema's own zod knows it, also where the program has two copies of zod.
  return ((schema as Partial<z.ZodType>).meta?.() ?? {}) as Meta;
}

/** Some words are a part of others (COMPASS, MONKEY), and some are not: PGPASSWORD. */
const SECRET_NAME =
  /(?:(?:^|_|API|ACCESS|AUTH|PRIVATE)KEYS?|(?:^|_)PASS|SECRET(?:KEY)?S?|PASSWORDS?|PASSWD|PASSPHRASE|TOKENS?|CREDENTIALS?)(?:_|$)/;

/** Whoever calls a setting so, or a member of one, means a secret, even where the schema does not say so. */
function saysSecret(name: string): boolean {
  return SECRET_NAME.test(upperCase(name));
}

/** `apiKey` and `api-key` as `API_KEY`. */
function upperCase(name: string): string {
  return name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll(/[^A-Za-z0-9]+/g, '_')
    .toUpperCase();
}

/** A schema and what it wraps, from the outside in, as far as the one that reads what was found. */
function unwrapped(schema: z.core.$ZodType): z.core.$ZodType[] {
  const def = schema._zod.def as { innerType?: z.core.$ZodType; in?: z.core.$ZodType };
  const inner = metaOf(schema).setting === undefined ? (def.innerType ?? def.in) : undefined;
  return inner === undefined ? [schema] : [schema, ...unwrapped(inner)];
}

/** Whether it or anything within it is marked as secret, or called so: then all of it is. */
function holdsSecret(schema: z.core.$ZodType, depth = 0): boolean {
  // A recursive schema has no end.
  if (depth > 8) return false;
  const meta = metaOf(schema);
  if (meta.secret ?? meta.setting?.secret !== undefined) return true;
  const { shape = {} } = schema._zod.def as { shape?: Record<string, z.core.$ZodType> };
  return (
    partsOf(schema).some((part) => holdsSecret(part, depth + 1)) ||
    Object.entries(shape).some(([name, member]) => metaOfAll(unwrapped(member)).secret ?? saysSecret(name))
  );
}

function partsOf(schema: z.core.$ZodType): z.core.$ZodType[] {
  const def = schema._zod.def as {
    innerType?: z.core.$ZodType;
    in?: z.core.$ZodType;
    out?: z.core.$ZodType;
    element?: z.core.$ZodType;
    valueType?: z.core.$ZodType;
    options?: z.core.$ZodType[];
    items?: z.core.$ZodType[];
    shape?: Record<string, z.core.$ZodType>;
    left?: z.core.$ZodType;
    right?: z.core.$ZodType;
  };
  const parts = [def.innerType, def.in, def.out, def.element, def.valueType, def.left, def.right];
  return [...parts, ...(def.options ?? []), ...(def.items ?? []), ...Object.values(def.shape ?? {})].filter(
    (part) => part !== undefined,
  );
}

const READS: Readonly<Record<string, Field['reads']>> = {
  number: 'number',
  boolean: 'boolean',
  object: 'json',
  array: 'json',
  record: 'json',
  tuple: 'json',
};

function readsOf(leaf: z.core.$ZodType): Field['reads'] {
  // Of `z.literal([1, 2])` the values say it, of a union and an intersection the members where they agree.
  const kinds = new Set([...(leaf._zod.values ?? [])].map((value) => typeof value));
  for (const kind of ['number', 'boolean'] as const) if (kinds.size === 1 && kinds.has(kind)) return kind;
  const { options = [], left, right } = leaf._zod.def as Members;
  const members = [...options, left, right].filter((member) => member !== undefined);
  const [first, ...others] = new Set(members.map((member) => readsOf(unwrapped(member).at(-1) ?? member)));
  if (first !== undefined && others.length === 0) return first;
  return READS[leaf._zod.def.type] ?? 'text';
}

interface Members {
  options?: z.core.$ZodType[];
  left?: z.core.$ZodType;
  right?: z.core.$ZodType;
}

function wantedOf(leaf: z.core.$ZodType): string {
  const values = leaf._zod.values;
  if (values !== undefined) return `one of ${[...values].map(String).join(', ')}`;
  const { type, format } = leaf._zod.def as { type: string; format?: string };
  const { minValue, maxValue } = leaf as Partial<z.ZodNumber>;
  if (readsOf(leaf) === 'number') return `a number${boundsOf(minValue, maxValue)}`;
  if (type === 'boolean') return 'on or off';
  if (type === 'string') return format === undefined ? 'text' : `text of the form ${format}`;
  return readsOf(leaf) === 'json'
    ? `JSON, an ${type === 'array' || type === 'tuple' ? 'array' : 'object'}`
    : 'a value';
}

function boundsOf(min: number | null | undefined, max: number | null | undefined): string {
  if (isBound(min) && isBound(max)) return ` from ${min} to ${max}`;
  if (isBound(min)) return ` of at least ${min}`;
  return isBound(max) ? ` of at most ${max}` : '';
}

/** zod says infinity, or the last safe integer, where there is none. */
function isBound(bound: number | null | undefined): bound is number {
  return typeof bound === 'number' && Math.abs(bound) < Number.MAX_SAFE_INTEGER;
}
