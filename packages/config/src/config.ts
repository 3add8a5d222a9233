import { z } from 'zod';
import { PROFILES, type Profile } from './basics.js';
import { ConfigError, type ConfigProblem } from './config-error.js';
import { frozenCopy, type DeepReadonly } from './frozen.js';
import type { Findings } from './lookalikes.js';
import { lookUp, type Found, type Lookup } from './lookup.js';
import { resolveOptions, type ConfigOptions } from './options.js';
import { quote } from './redact.js';
import { fieldsOf, type Field } from './schema.js';
import { generateSecret, weaknessOf } from './secrets.js';
import { listEntries, strictBoolean, strictNumber } from './setting.js';
import { rememberSettings } from './settings.js';
import { nearest } from './suggest.js';
import { describeIssue, describeMissing, describeProblem } from './wording.js';

/** The settings of a schema: typed, and frozen to the bottom. */
export type Config<Schema extends z.ZodObject> = DeepReadonly<z.output<Schema>>;

/**
 * Reads the settings of a program: arguments before environment before files before the schema's defaults.
 *
 * The schema's keys are names of environment variables; `LOG_LEVEL` is `--log-level` on the command line, and
 * `LOG_LEVEL_FILE` names a file that holds the value. Text becomes numbers and booleans strictly: `8080x`, `1e3`
 * and the empty text are no numbers.
 *
 * @throws {ConfigError} with every problem at once, when the program should not start
 * @throws {TypeError} when the schema or an option is wrong
 *
 * @example
 * const settings = config(z.object({ PORT: port().default(3000), SECRET_KEYS: secrets() }), {
 *   files: [{ path: '.env', optional: true }],
 *   argv: process.argv.slice(2),
 * });
 */
export function config<Schema extends z.ZodObject>(
  schema: Schema,
  options: ConfigOptions = {},
): Config<Schema> {
  const fields = fieldsOf('config', schema);
  const resolved = resolveOptions(options);
  const lookup = lookUp(fields, resolved);
  const problems = [...lookup.problems];
  const warnings = [...lookup.warnings];

  const profile = chooseProfile(resolved.profile, lookup, problems);
  const found = new Map(lookup.found);
  if (resolved.profile !== undefined) found.set('NODE_ENV', fromOption(resolved.profile));
  if (profile !== 'production') generateMissing(fields, lookup, found);

  for (const field of fields.values()) {
    if (lookup.broken.has(field.name)) continue;
    problems.push(...checkField(field, found.get(field.name)));
    const judged = judgeSecrecy(field, found.get(field.name), profile);
    problems.push(...judged.problems);
    warnings.push(...judged.warnings);
  }
  const settings = problems.length > 0 ? undefined : parseAll(schema, fields, found, problems);
  for (const warning of warnings) resolved.warn(warning);
  if (settings === undefined) throw new ConfigError(problems);

  // A parsed object has the shape that the schema infers; freezing changes no value in it.
  const frozen = frozenCopy(settings) as Config<Schema>;
  rememberSettings(frozen, fields, found);
  return frozen;
}

function chooseProfile(given: Profile | undefined, lookup: Lookup, problems: ConfigProblem[]): Profile {
  const found = lookup.found.get('NODE_ENV');
  if (given !== undefined) return given;
  if (found === undefined) return 'development';
  const profile = PROFILES.find((name) => name === found.value);
  if (profile !== undefined) return profile;
  const near =
    nearest(String(found.value), PROFILES) ?? PROFILES.find((name) => isShortFor(found.value, name));
  const hint = near === undefined ? '' : ` (did you mean ${near}?)`;
  const message = `NODE_ENV must be one of ${PROFILES.join(', ')}${hint}; got ${quote(found.value)} ${found.from}`;
  problems.push({ name: 'NODE_ENV', message, source: found.source });
  return 'production';
}

function isShortFor(text: unknown, name: string): boolean {
  return typeof text === 'string' && text.length >= 3 && name.startsWith(text.toLowerCase());
}

function fromOption(profile: Profile): Found {
  return { value: profile, source: 'option', from: 'from the option "profile"', public: false };
}

function generateMissing(
  fields: ReadonlyMap<string, Field>,
  { broken }: Lookup,
  found: Map<string, Found>,
): void {
  for (const { name, about } of fields.values()) {
    if (about?.secret?.generate !== true || found.has(name) || broken.has(name)) continue;
    found.set(name, {
      value: generateSecret(about.secret),
      source: 'generated',
      from: 'made at start',
      public: false,
    });
  }
}

/** What `field` makes of the value alone, so that each setting is judged whatever the others are. */
function checkField(field: Field, found: Found | undefined): ConfigProblem[] {
  const { name } = field;
  if (found === undefined) {
    if (parseAlone(field, {}).success) return [];
    return [{ name, message: describeMissing(field), source: undefined }];
  }
  // Reported with the choice of the profile.
  if (name === 'NODE_ENV' && !PROFILES.some((profile) => profile === found.value)) return [];
  const { source } = found;
  const value = toInput(field, found.value);
  if (value === undefined) {
    return [{ name, message: describeProblem(field, [name], `must be ${field.wanted}`, found), source }];
  }
  const { error } = parseAlone(field, { [name]: value });
  return (error?.issues ?? []).map((issue) => {
    return { name, message: describeProblem(field, issue.path, issue.message, found), source };
  });
}

function parseAlone(field: Field, input: object): z.ZodSafeParseResult<unknown> {
  return z.object({ [field.name]: field.schema }).safeParse(input, { error: describeIssue });
}

/** Text as what the schema reads, or `undefined` when it is no such thing. */
function toInput(field: Field, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  if (field.reads === 'number') return strictNumber(value);
  if (field.reads === 'boolean') return strictBoolean(value);
  return field.reads === 'json' ? fromJson(value) : value;
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** In production a weak secret is a problem, elsewhere it is odd; on the command line it is odd anywhere. */
function judgeSecrecy(field: Field, found: Found | undefined, profile: Profile): Findings {
  const { name, about, redacted } = field;
  const source = found?.source ?? 'default';
  const judged: Findings = { problems: [], warnings: [] };
  if (redacted && found?.public === true) {
    judged.warnings.push(
      `${name} is a secret, and arguments can be read by every user of the machine: use ${name}_FILE`,
    );
  }
  if (about?.secret === undefined) return judged;
  const value = found === undefined ? field.default : found.value;
  const parts = (about.list === true ? listEntries(value) : [value]) ?? [];
  for (const [index, part] of parts.entries()) {
    const weakness = typeof part === 'string' && part !== '' ? weaknessOf(part, about.secret) : undefined;
    if (weakness === undefined) continue;
    const which = parts.length === 1 ? name : `${name} (number ${index + 1})`;
    const message = `${which} ${weakness}; it came ${found?.from ?? 'from its default'}`;
    if (profile === 'production') judged.problems.push({ name, message, source });
    else judged.warnings.push(`${message}. In production this stops the start`);
  }
  return judged;
}

/** Parses all settings together, with the checks that the schema makes across them. */
function parseAll(
  schema: z.ZodObject,
  fields: ReadonlyMap<string, Field>,
  found: ReadonlyMap<string, Found>,
  problems: ConfigProblem[],
): object | undefined {
  const input: Record<string, unknown> = {};
  for (const field of fields.values()) {
    const value = found.get(field.name);
    if (value !== undefined) input[field.name] = toInput(field, value.value);
  }
  const { success, data, error } = schema.safeParse(input, { error: describeIssue });
  if (success) return data;
  for (const { path, message } of error.issues) {
    const field = fields.get(String(path[0]));
    const value = field === undefined ? undefined : found.get(field.name);
    const known = field !== undefined && value !== undefined;
    const name = field?.name ?? 'settings';
    const sentence = known ? describeProblem(field, path, message, value) : `${name}: ${message}`;
    problems.push({ name, message: sentence, source: value?.source });
  }
  return undefined;
}
