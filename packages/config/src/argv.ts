import type { ConfigProblem } from './config-error.js';
import type { Reading } from './layer.js';
import { oneLine } from './redact.js';
import type { Field } from './schema.js';
import { strictBoolean } from './setting.js';
import { nearest } from './suggest.js';

/** `LOG_LEVEL` as an option: `--log-level`. */
export function toOption(name: string): string {
  return `--${name.toLowerCase().replaceAll('_', '-')}`;
}

function toName(option: string): string {
  return option.slice(2).toUpperCase().replaceAll('-', '_');
}

/** What is known of a variable here: any of the schema's, `NODE_ENV`, and each with `_FILE` behind it. */
export type KnownNames = ReadonlyMap<string, Field | undefined>;

/** Reads `--name value`, `--name=value`, `--flag` and `--no-flag`. */
export function readArguments(argv: readonly string[], known: KnownNames): Reading {
  const values = new Map<string, string>();
  const problems: ConfigProblem[] = [];
  const wrong = (name: string, message: string): void => {
    problems.push({ name, message, source: 'argv' });
  };

  const queue = [...argv];
  for (let argument = queue.shift(); argument !== undefined; argument = queue.shift()) {
    const position = argv.length - queue.length;
    const equals = argument.indexOf('=');
    const option = equals === -1 ? argument : argument.slice(0, equals);
    const inline = equals === -1 ? undefined : argument.slice(equals + 1);
    const target = targetOf(option, known);
    if (target === undefined) {
      wrong(nameUnknown(option, position), describeUnknown(option, position, known));
      // Its value would only be a second problem of the same slip.
      if (option.startsWith('--') && inline === undefined && isValue(queue[0])) queue.shift();
      continue;
    }
    const { name, field, negated } = target;
    const value = negated ? (inline === undefined ? 'off' : undefined) : (inline ?? takeValue(queue, field));
    if (value === undefined) {
      wrong(name, `${option} ${negated ? 'takes no value' : 'needs a value'}`);
      continue;
    }
    const previous = values.get(name);
    if (previous !== undefined && field?.about?.list !== true) wrong(name, `${option} is given twice`);
    values.set(name, previous === undefined ? value : `${previous},${value}`);
  }

  const layer = { source: 'argv', values, spell: toOption, from: (name: string) => `from ${toOption(name)}` };
  return { layer, problems };
}

interface Target {
  name: string;
  field: Field | undefined;
  negated: boolean;
}

function targetOf(option: string, known: KnownNames): Target | undefined {
  if (!option.startsWith('--')) return undefined;
  const name = toName(option);
  if (known.has(name)) return { name, field: known.get(name), negated: false };
  const positive = name.startsWith('NO_') ? name.slice(3) : name;
  const field = known.get(positive);
  return positive !== name && isFlag(field) ? { name: positive, field, negated: true } : undefined;
}

function isFlag(field: Field | undefined): boolean {
  return field?.about?.flag === true || field?.reads === 'boolean';
}

function isValue(argument: string | undefined): argument is string {
  return argument !== undefined && !argument.startsWith('--');
}

/** The argument behind the option, where it is one; a flag may stand alone. */
function takeValue(queue: string[], field: Field | undefined): string | undefined {
  const [next] = queue;
  if (isFlag(field) && strictBoolean(next) === undefined) return 'on';
  return isValue(next) ? queue.shift() : undefined;
}

function nameUnknown(option: string, position: number): string {
  // What is not an option may be a value gone astray, and a secret.
  return option.startsWith('--') ? oneLine(option) : `argument ${position}`;
}

function describeUnknown(option: string, position: number, known: KnownNames): string {
  const name = nameUnknown(option, position);
  if (!option.startsWith('--'))
    return `${name} is not an option: options begin with --, their values follow them`;
  const near = nearest(toName(option), known.keys());
  return `${name} is not a setting${near === undefined ? '' : `; did you mean ${toOption(near)}?`}`;
}
