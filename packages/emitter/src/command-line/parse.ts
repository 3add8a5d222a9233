import { parseArgs } from 'node:util';
import { suggestion } from '@signalbox/options';

/** The command line is wrong; the message says what and how. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What is to be done. */
export type Action =
  | { readonly kind: 'event'; readonly event: string; readonly json: readonly string[] }
  | { readonly kind: 'join' | 'leave'; readonly room: string }
  | { readonly kind: 'disconnect'; readonly close: boolean };

export interface Order {
  readonly action: Action;
  /** `undefined`: everybody. */
  readonly rooms: readonly string[] | undefined;
  readonly except: readonly string[];
  readonly namespace: string;
  readonly redis: string | undefined;
  readonly key: string;
  readonly timeoutMs: number;
  readonly servers: number;
  readonly quiet: boolean;
}

const options = {
  room: { type: 'string', multiple: true },
  all: { type: 'boolean' },
  except: { type: 'string', multiple: true },
  namespace: { type: 'string' },
  event: { type: 'string' },
  json: { type: 'string', multiple: true },
  join: { type: 'string' },
  leave: { type: 'string' },
  disconnect: { type: 'boolean' },
  close: { type: 'boolean' },
  redis: { type: 'string' },
  key: { type: 'string' },
  timeout: { type: 'string' },
  servers: { type: 'string' },
  quiet: { type: 'boolean' },
  help: { type: 'boolean' },
  version: { type: 'boolean' },
} as const;

type Name = keyof typeof options;
type Given = Map<Name, string[]>;

/**
 * Reads the command line.
 *
 * @throws {UsageError}
 */
export function parse(args: readonly string[]): Order | 'help' | 'version' {
  const given = optionsOf(args);
  if (given.has('help')) return 'help';
  if (given.has('version')) return 'version';

  const action = actionOf(given);
  const rooms = given.get('room');
  if (rooms === undefined && !given.has('all')) {
    throw new UsageError('Say to whom: --room NAME, or --all for everybody');
  }
  if (rooms !== undefined && given.has('all')) throw new UsageError('Say either --room or --all, not both');

  return {
    action,
    rooms,
    except: given.get('except') ?? [],
    namespace: textOf(given, 'namespace') ?? '/',
    redis: textOf(given, 'redis'),
    key: textOf(given, 'key') ?? 'socket.io',
    timeoutMs: numberOf(given, 'timeout', 1, 60_000) ?? 2_000,
    servers: numberOf(given, 'servers', 0, 1_000_000) ?? 0,
    quiet: given.has('quiet'),
  };
}

/** Every option with its values. Told by hand, since `strict` has other words for what is wrong. */
function optionsOf(args: readonly string[]): Given {
  const { tokens } = parseArgs({
    args: [...args],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const given: Given = new Map();
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue;
    if (token.kind === 'positional') {
      throw new UsageError(`"${token.value}" belongs to no option; JSON with blanks stands in quotes`);
    }
    const { name, rawName, value, inlineValue } = token;
    if (!isName(name)) {
      const known = Object.keys(options).map((each) => `--${each}`);
      throw new UsageError(`There is no option ${rawName}; ${suggestion(rawName, known)}`);
    }
    const values = given.get(name) ?? [];
    given.set(name, values);
    if (values.length > 0 && !('multiple' in options[name]))
      throw new UsageError(`${rawName} was given twice`);
    if (options[name].type === 'boolean') {
      if (value !== undefined) throw new UsageError(`${rawName} takes no value`);
      values.push('');
    } else {
      values.push(valueOf(rawName, value, inlineValue === true));
    }
  }
  return given;
}

function valueOf(option: string, value: string | undefined, isInline: boolean): string {
  if (value === undefined || value === '') throw new UsageError(`${option} needs a value`);
  // The value was forgotten, and the next option taken for it.
  if (!isInline && value.startsWith('--')) {
    throw new UsageError(`${option} needs a value, and ${value} is an option; else write ${option}=${value}`);
  }
  return value;
}

function isName(name: string): name is Name {
  return Object.hasOwn(options, name);
}

function actionOf(given: Given): Action {
  const kinds = (['event', 'join', 'leave', 'disconnect'] as const).filter((name) => given.has(name));
  const [kind, second] = kinds;
  if (kind === undefined)
    throw new UsageError('Say what: --event NAME, --join NAME, --leave NAME or --disconnect');
  if (second !== undefined) throw new UsageError(`Say either --${kind} or --${second}, not both`);
  if (kind !== 'event' && given.has('json')) throw new UsageError('--json goes with --event');
  if (kind !== 'disconnect' && given.has('close')) throw new UsageError('--close goes with --disconnect');

  const value = textOf(given, kind) ?? '';
  if (kind === 'event') return { kind, event: value, json: given.get('json') ?? [] };
  return kind === 'disconnect' ? { kind, close: given.has('close') } : { kind, room: value };
}

function textOf(given: Given, name: Name): string | undefined {
  return given.get(name)?.[0];
}

function numberOf(given: Given, name: Name, min: number, max: number): number | undefined {
  const text = textOf(given, name);
  if (text === undefined) return undefined;
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= min && number <= max) return number;
  throw new UsageError(`--${name} must be an integer from ${min} to ${max}, got "${text}"`);
}
