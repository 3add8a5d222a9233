import type { StandardSchemaV1 } from '@standard-schema/spec';
import { isJsonSchema, type JsonSchema, jsonSchemaOf, resolveRef, schemasIn } from './json-schema.js';
import { isContainer, isPlainObject } from './plain.js';

export type Path = readonly PropertyKey[];

/** What a schema says of the fields at one place. */
interface Shape {
  /** Takes fields of any name. */
  readonly isOpen: boolean;
  fieldShape(name: string): Shape | undefined;
  itemShape(index: number): Shape | undefined;
}

/**
 * A function that lists the fields that the schema does not name, or `undefined` where the schema
 * cannot tell its fields as JSON Schema.
 */
export function declaredFields(
  schema: StandardSchemaV1,
): ((input: unknown, max: number) => Path[]) | undefined {
  const root = jsonSchemaOf(schema, 'input');
  if (root === undefined) return undefined;
  const shape = shapesOf(root)([root]);
  return (input, max) => listUnknown(input, shape, max);
}

/** The fields that the schema took out: in the input, but not at the same place in the output. */
export function removedFields(input: unknown, output: unknown, max: number): Path[] {
  const found: Path[] = [];
  const waiting: [input: unknown, output: unknown, path: Path][] = [[input, output, []]];
  for (let pair = waiting.pop(); pair !== undefined && found.length < max; pair = waiting.pop()) {
    const [before, after, path] = pair;
    if (Array.isArray(before) && Array.isArray(after)) {
      if (before.length === after.length)
        before.forEach((item, i) => waiting.push([item, after[i], [...path, i]]));
    } else if (isPlainObject(before) && isPlainObject(after)) {
      for (const key of Object.keys(before)) {
        if (Object.hasOwn(after, key)) waiting.push([before[key], after[key], [...path, key]]);
        else if (found.length < max) found.push([...path, key]);
      }
    }
  }
  return found;
}

/** A copy without the fields at the paths; what holds none of them is shared with the original. */
export function withoutFields(input: unknown, paths: readonly Path[]): unknown {
  const copies = new Map<unknown, unknown>();
  const copyOf = (value: unknown): unknown => {
    if (!copies.has(value))
      copies.set(value, Array.isArray(value) ? [...(value as unknown[])] : copyObject(value));
    return copies.get(value);
  };
  const root = copyOf(input);
  for (const path of paths) {
    let original: unknown = input;
    let copy = root as Record<PropertyKey, unknown>;
    for (const key of path.slice(0, -1)) {
      original = (original as Record<PropertyKey, unknown>)[key];
      copy[key] = copyOf(original);
      copy = copy[key] as Record<PropertyKey, unknown>;
    }
    delete copy[path.at(-1) ?? ''];
  }
  return root;
}

function copyObject(value: unknown): object {
  return Object.assign(Object.create(Object.getPrototypeOf(value) as object | null) as object, value);
}

function listUnknown(input: unknown, root: Shape, max: number): Path[] {
  const found: Path[] = [];
  const waiting: [value: unknown, shape: Shape, path: Path][] = [[input, root, []]];
  for (let next = waiting.pop(); next !== undefined && found.length < max; next = waiting.pop()) {
    const [value, shape, path] = next;
    if (Array.isArray(value)) {
      value.forEach((item: unknown, i) => {
        const inner = isContainer(item) ? shape.itemShape(i) : undefined;
        if (inner !== undefined) waiting.push([item, inner, [...path, i]]);
      });
    } else if (isPlainObject(value)) {
      for (const key of Object.keys(value)) {
        const inner = shape.fieldShape(key);
        if (inner === undefined) {
          if (!shape.isOpen && found.length < max) found.push([...path, key]);
        } else if (isContainer(value[key])) {
          waiting.push([value[key], inner, [...path, key]]);
        }
      }
    }
  }
  return found;
}

/**
 * Makes shapes of sets of schemas, each set once: a recursive schema has few, however deep the values
 * are that are held against it.
 */
function shapesOf(root: JsonSchema): (schemas: readonly JsonSchema[]) => Shape {
  const ids = new Map<JsonSchema, number>();
  const shapes = new Map<string, Shape>();

  const idOf = (schema: JsonSchema): number => {
    const id = ids.get(schema) ?? ids.size;
    ids.set(schema, id);
    return id;
  };

  return function shapeOf(schemas) {
    const flat = flatten(root, schemas);
    const key = flat
      .map(idOf)
      .toSorted((a, b) => a - b)
      .join();
    const known = shapes.get(key);
    if (known !== undefined) return known;

    const shape = makeShape(flat, shapeOf);
    shapes.set(key, shape);
    return shape;
  };
}

function makeShape(
  schemas: readonly JsonSchema[],
  shapeOf: (schemas: readonly JsonSchema[]) => Shape,
): Shape {
  const fields = new Map<string, JsonSchema[]>();
  for (const schema of schemas) {
    if (!isJsonSchema(schema['properties'])) continue;
    for (const [name, field] of Object.entries(schema['properties'])) {
      const all = fields.get(name) ?? [];
      fields.set(name, all);
      // `true` says as little as `{}`.
      all.push(isJsonSchema(field) ? field : {});
    }
  }
  const items = schemas.map((schema) => schema['items']).filter(isJsonSchema);
  const others = schemas.map((schema) => schema['additionalProperties']).filter(isJsonSchema);
  // Made when first asked for: a recursive schema has no end.
  const made = new Map<string, Shape>();

  return {
    isOpen: schemas.some(isOpen),
    fieldShape(name) {
      const known = made.get(name);
      if (known !== undefined) return known;
      const field = fields.get(name);
      if (field === undefined) return others.length === 0 ? undefined : shapeOf(others);
      const shape = shapeOf(field);
      made.set(name, shape);
      return shape;
    },
    itemShape(index) {
      const listed = schemas.map((schema) => schemasIn(schema['prefixItems'])[index]).filter(isJsonSchema);
      const all = [...listed, ...items];
      return all.length === 0 ? undefined : shapeOf(all);
    },
  };
}

/** Whether a schema takes fields that it does not name, by saying so or by saying nothing of fields. */
function isOpen(schema: JsonSchema): boolean {
  const { type, properties, patternProperties, additionalProperties, unevaluatedProperties } = schema as {
    [name: string]: unknown;
  };
  if (type !== undefined && type !== 'object' && !(Array.isArray(type) && type.includes('object')))
    return false;
  if (patternProperties !== undefined || unevaluatedProperties === true) return true;
  if (additionalProperties !== undefined) return additionalProperties !== false;
  const saysMore = 'const' in schema || 'enum' in schema || 'not' in schema;
  return properties === undefined && !saysMore;
}

/** The schemas that speak of the value itself: references followed, alternatives side by side. */
function flatten(root: JsonSchema, schemas: readonly JsonSchema[]): JsonSchema[] {
  const flat = new Set<JsonSchema>();
  const seen = new Set<JsonSchema>();
  const waiting = [...schemas];
  for (let schema = waiting.pop(); schema !== undefined; schema = waiting.pop()) {
    if (seen.has(schema)) continue;
    seen.add(schema);

    const { $ref } = schema;
    const target = typeof $ref === 'string' ? resolveRef(root, $ref) : undefined;
    const parts = [
      ...schemasIn(schema['allOf']),
      ...schemasIn(schema['anyOf']),
      ...schemasIn(schema['oneOf']),
    ];
    if (target !== undefined) parts.push(target);
    waiting.push(...parts);
    // A schema that is nothing but its parts has no say of its own.
    if (parts.length === 0 || schema['properties'] !== undefined) flat.add(schema);
  }
  return [...flat];
}
