import { readArguments, type KnownNames } from './argv.js';
import type { ConfigProblem } from './config-error.js';
import { readSettings, readValue, Unreadable } from './files.js';
import { environmentLayer, type Layer } from './layer.js';
import { findInFile, findFindings, type Findings } from './lookalikes.js';
import type { ResolvedOptions } from './options.js';
import { oneLine } from './redact.js';
import type { Field } from './schema.js';

/** A value as it was found, before anything is made of it. */
export interface Found {
  value: unknown;
  /** For `printConfig`: `argv`, `env`, `file:<path>`, `option`. */
  source: string;
  /** For sentences: `from the environment`. */
  from: string;
  /** Whether every user of the machine could see it in the list of processes. */
  public: boolean;
}

/** What the places hold for the settings of a schema. */
export interface Lookup extends Findings {
  found: ReadonlyMap<string, Found>;
  /** Settings that are set, but whose value cannot be had. */
  broken: ReadonlySet<string>;
}

/** Looks every setting up: arguments before environment before files, the last file first. */
export function lookUp(fields: ReadonlyMap<string, Field>, options: ResolvedOptions): Lookup {
  const known = knownNames(fields);
  const fromArguments = readArguments(options.argv, known);
  const environment = environmentLayer(options.env);
  const files = options.files.map((file) => ({ file, ...readSettings(file) }));
  const layers = [fromArguments.layer, environment, ...files.map(({ layer }) => layer).toReversed()];
  const strong = layers.slice(0, 2);
  const isSet = (name: string): boolean => strong.some(({ values }) => values.has(name));

  const oddities = [
    findFindings(environment, known, isSet),
    ...files.map(({ file, layer }) => findInFile(file, layer, known, isSet)),
  ];
  const problems = [
    ...[fromArguments, ...files].flatMap((reading) => reading.problems),
    ...oddities.flatMap((odd) => odd.problems),
  ];
  const found = new Map<string, Found>();
  const broken = new Set(fromArguments.problems.map(({ name }) => name));
  for (const name of new Set([...fields.keys(), 'NODE_ENV'])) {
    const result = find(name, fields, layers);
    if (result === undefined) continue;
    if ('message' in result) {
      problems.push(result);
      broken.add(name);
    } else {
      found.set(name, result);
    }
  }
  return { found, broken, problems, warnings: oddities.flatMap((odd) => odd.warnings) };
}

function knownNames(fields: ReadonlyMap<string, Field>): KnownNames {
  const known = new Map<string, Field | undefined>([['NODE_ENV', undefined]]);
  for (const name of fields.keys()) known.set(`${name}_FILE`, undefined);
  // Last, so that a setting called LOG_FILE is itself and not the file of LOG.
  for (const [name, field] of fields) known.set(name, field);
  return known;
}

function find(
  name: string,
  fields: ReadonlyMap<string, Field>,
  layers: readonly Layer[],
): Found | ConfigProblem | undefined {
  const fileName = `${name}_FILE`;
  for (const layer of layers) {
    const direct = layer.values.has(name);
    const byFile = !fields.has(fileName) && layer.values.has(fileName);
    if (direct && byFile) {
      const message = `${layer.spell(name)} and ${layer.spell(fileName)} are both set: keep one`;
      return { name, message, source: layer.source };
    }
    if (byFile) return findByFile(name, layer, fields.get(name)?.redacted === true);
    if (direct) {
      const { source } = layer;
      return { value: layer.values.get(name), source, from: layer.from(name), public: source === 'argv' };
    }
  }
  return undefined;
}

function findByFile(name: string, layer: Layer, redacted: boolean): Found | ConfigProblem {
  const fileName = `${name}_FILE`;
  const path = layer.values.get(fileName);
  if (typeof path !== 'string' || path === '') {
    const message = `${layer.spell(fileName)} must be the path of a file`;
    return { name, message, source: layer.source };
  }
  const value = readValue(path);
  if (value instanceof Unreadable) {
    // Somebody may have put the secret itself where its path belongs.
    const shown = redacted && !/^\.{0,2}[/\\]|^[A-Za-z]:[/\\]/.test(path) ? 'a file' : oneLine(path);
    const message = `${layer.spell(fileName)} names ${shown}, which ${value.message}`;
    return { name, message, source: layer.source };
  }
  const from = `from ${oneLine(path)} (${layer.spell(fileName)})`;
  return { value, source: `file:${oneLine(path)}`, from, public: false };
}
