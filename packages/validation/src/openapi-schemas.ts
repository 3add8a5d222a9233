import { isJsonSchema, type JsonSchema, resolveRef } from './json-schema.js';

/** The schemas of a document, each under a name of its own. */
export interface SchemaRegistry {
  /**
   * Makes a schema fit to stand in the document: its definitions become components, and references to
   * them are written anew.
   *
   * @param name what it is called if it has to become a component itself, as a recursive one must
   */
  open(root: JsonSchema, name: string): EmbeddedSchema;
  /** A component of that name, the given one or else this; another where a schema has taken the name. */
  named(name: string, schema: JsonSchema): JsonSchema;
  readonly schemas: Readonly<Record<string, unknown>>;
}

export interface EmbeddedSchema {
  readonly root: JsonSchema;
  /** A schema inside the root, fit to stand elsewhere in the document. */
  embed(schema: JsonSchema): JsonSchema;
}

/** @param given schemas that the document has already; their names are taken */
export function schemaRegistry(given: Readonly<Record<string, unknown>> = {}): SchemaRegistry {
  const schemas: Record<string, unknown> = { ...given };
  const names = new Map<string, string>();

  /** The name of a component with this content; content seen before keeps its name. */
  const register = (wanted: string, content: string, make: () => JsonSchema): string => {
    const known = names.get(content);
    if (known !== undefined) return known;
    const name = freeName(wanted, schemas);
    names.set(content, name);
    // Taken before it is made: making it may come back to it.
    schemas[name] = {};
    schemas[name] = make();
    return name;
  };

  return {
    schemas,
    named(name, schema) {
      return refTo(Object.hasOwn(given, name) ? name : register(name, `named ${name}`, () => schema));
    },
    open(root, rootName) {
      const embed = (schema: JsonSchema): JsonSchema => rewrite(schema, nameOfRef);
      const nameOfRef = (ref: string): string | undefined => {
        const target = resolveRef(root, ref);
        if (target === undefined) return undefined;
        const wanted = ref === '#' ? rootName : definitionName(ref, rootName);
        return register(wanted, `${wanted} ${contentOf(root, ref)}`, () => embed(target));
      };
      const isRecursive = refsIn(root).has('#');
      return { embed, root: isRecursive ? refTo(nameOfRef('#') ?? rootName) : embed(root) };
    },
  };
}

function refTo(name: string): JsonSchema {
  return { $ref: `#/components/schemas/${name}` };
}

/** A copy without definitions, with every reference pointing at a component. */
function rewrite(schema: JsonSchema, nameOfRef: (ref: string) => string | undefined): JsonSchema {
  const copy: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(schema)) {
    if (key === '$schema' || key === '$defs' || key === 'definitions' || key.startsWith('~')) continue;
    const name = key === '$ref' && typeof value === 'string' ? nameOfRef(value) : undefined;
    if (name !== undefined) Object.assign(copy, refTo(name));
    else if (key === 'properties' && isJsonSchema(value)) copy[key] = rewriteFields(value, nameOfRef);
    else copy[key] = rewriteValue(value, nameOfRef);
  }
  return copy;
}

/** Apart, since a field may be called `definitions` or `$ref`. */
function rewriteFields(fields: JsonSchema, nameOfRef: (ref: string) => string | undefined): JsonSchema {
  const entries = Object.entries(fields).map(([name, field]) => [name, rewriteValue(field, nameOfRef)]);
  return Object.fromEntries(entries) as JsonSchema;
}

function rewriteValue(value: unknown, nameOfRef: (ref: string) => string | undefined): unknown {
  if (Array.isArray(value)) return value.map((item) => rewriteValue(item, nameOfRef));
  return isJsonSchema(value) ? rewrite(value, nameOfRef) : value;
}

/** A definition and everything that it refers to, as text: equal texts mean the same. */
function contentOf(root: JsonSchema, ref: string): string {
  const texts: string[] = [];
  const seen = new Set<string>();
  const waiting = [ref];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    const target = resolveRef(root, next);
    if (target === undefined) continue;
    const { $defs: _defs, definitions: _definitions, $schema: _schema, ...own } = target;
    texts.push(next + JSON.stringify(own));
    waiting.push(...refsIn(own));
  }
  return texts.toSorted().join('\n');
}

function refsIn(value: unknown, refs: Set<string> = new Set()): Set<string> {
  if (typeof value !== 'object' || value === null) return refs;
  for (const [key, inner] of Object.entries(value)) {
    if (key === '$ref' && typeof inner === 'string') refs.add(inner);
    else refsIn(inner, refs);
  }
  return refs;
}

/** What the author called it; libraries number what has no name, which would say nothing here. */
function definitionName(ref: string, rootName: string): string {
  const name = decodeURIComponent(ref.slice(ref.lastIndexOf('/') + 1));
  return /^(?:__schema)?\d+$/.test(name) ? `${rootName}${name.replace('__schema', '')}` : name;
}

/** Component names are of `[a-zA-Z0-9._-]` (OpenAPI 3.1, section 4.8.7). */
function freeName(wanted: string, taken: Readonly<Record<string, unknown>>): string {
  const base = wanted.replace(/[^\w.-]/g, '_');
  let name = base;
  for (let n = 2; Object.hasOwn(taken, name); n++) name = `${base}${n}`;
  return name;
}
