import { types } from 'node:util';
import { describeError } from './describe-error.js';
import { describeHttp } from './describe-http.js';
import { readMember } from './read-member.js';
import { redactTarget, redactText } from './redact-text.js';
import { CENSOR, sensitiveNames, type SensitiveNames } from './sensitive-names.js';

/** What to redact beside the defaults. */
export interface RedactOptions {
  /** Names of keys, at any depth, whatever their case and separators. */
  keys?: readonly string[] | undefined;
  /** Names of query parameters. */
  parameters?: readonly string[] | undefined;
}

/** Takes secrets out of what is about to be logged. Never writes to what it is given. */
export interface Redactor {
  readonly names: SensitiveNames;
  /**
   * A copy without secrets, bounded in depth and size, without cycles, getters or `toJSON`: what is
   * printed is what was looked at.
   */
  readonly value: (value: unknown) => unknown;
  /** The same for something that must stay an object. */
  readonly object: (object: object) => Record<string, unknown>;
  readonly text: (text: string) => string;
  /** For the target of a request: `/search?q=[Redacted]&page=2`. */
  readonly target: (target: string) => string;
}

const MAX_DEPTH = 8;
const MAX_VALUES = 2_000;

/** Keys under which a parsed query stands: what is in there is named as parameters are. */
const QUERIES: ReadonlySet<string> = new Set(['query', 'params', 'searchParams']);

/** One walk through one value. */
interface Walk {
  readonly names: SensitiveNames;
  /** The objects that the walk is inside of, to know a cycle. */
  readonly inside: object[];
  values: number;
}

export function redactor({ keys, parameters }: RedactOptions = {}): Redactor {
  const names = sensitiveNames(keys, parameters);
  return {
    names,
    value: (value) => redactValue(value, { names, inside: [], values: 0 }),
    object(object) {
      const safe = redactValue(object, { names, inside: [], values: 0 });
      return isObject(safe) && !Array.isArray(safe) ? (safe as Record<string, unknown>) : { value: safe };
    },
    text: (text) => redactText(text, names),
    target: (target) => redactTarget(target, names),
  };
}

function redactValue(value: unknown, walk: Walk, isQuery = false): unknown {
  if (typeof value === 'string') return redactText(value, walk.names);
  // None is printed; one called toJSON would print what nobody has looked at.
  if (typeof value === 'function') return undefined;
  if (!isObject(value)) return value;
  if (walk.inside.includes(value)) return '[Circular]';
  if (walk.inside.length >= MAX_DEPTH) return Array.isArray(value) ? '[Array]' : '[Object]';

  walk.inside.push(value);
  try {
    return redactInside(value, walk, isQuery);
  } catch {
    // A proxy or a toJSON that throws must not turn a log line into a crash.
    return '[Unreadable]';
  } finally {
    walk.inside.pop();
  }
}

function redactInside(value: object, walk: Walk, isQuery: boolean): unknown {
  if (Array.isArray(value)) return redactArray(value, walk);
  if (types.isNativeError(value) || value instanceof Error) return redactMembers(describeError(value), walk);
  if (ArrayBuffer.isView(value)) return `[${value.constructor.name} of ${value.byteLength} bytes]`;

  const http = describeHttp(value);
  if (http !== undefined) return isObject(http) ? redactMembers(http, walk) : http;
  if ('toJSON' in value && typeof value.toJSON === 'function') return redactValue(value.toJSON(), walk);
  return redactMembers(value, walk, isQuery && isPlainObject(value));
}

function redactMembers(source: object, walk: Walk, isQuery = false): object {
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(source)) {
    if (++walk.values > MAX_VALUES) {
      copy['[Truncated]'] = true;
      break;
    }
    copy[key] = redactMember(source, key, walk, isQuery);
  }
  return copy;
}

function redactMember(source: object, key: string, walk: Walk, isQuery: boolean): unknown {
  const value = readMember(source, key);
  const isSecret = isQuery ? walk.names.isSecretParameter(key) : walk.names.isSecretKey(key);
  if (isSecret && canBeSecret(key, value)) return CENSOR;
  return redactValue(value, walk, QUERIES.has(key));
}

function redactArray(array: readonly unknown[], walk: Walk): unknown[] {
  // `Object.entries(headers)`, and what else comes as name and value.
  const [name] = array;
  if (array.length === 2 && typeof name === 'string' && walk.names.isSecretKey(name)) return [name, CENSOR];

  const copy: unknown[] = [];
  for (const value of array) {
    if (++walk.values > MAX_VALUES) {
      copy.push(`[${array.length - copy.length} more]`);
      break;
    }
    copy.push(redactValue(value, walk));
  }
  return copy;
}

/** `hasToken: true` and `token: null` say something; `totalTokens: 1532` is a count. */
function canBeSecret(key: string, value: unknown): boolean {
  if (value === undefined || value === null || value === '' || typeof value === 'boolean') return false;
  return !(typeof value === 'number' && /tokens/i.test(key));
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
