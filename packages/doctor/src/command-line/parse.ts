import { suggestion } from '@signalbox/options';
import type { Code } from '../finding.js';
import { isCode, isWebAddress } from '../options.js';
import { readMs } from '../folder/duration.js';

/** What a command line asks for. */
export type Order =
  | { readonly kind: 'help' | 'version' | 'codes' }
  | { readonly kind: 'explain'; readonly code: Code }
  | Examination;

export interface Examination {
  readonly kind: 'examine';
  readonly target: string;
  readonly json: boolean;
  readonly strict: boolean;
  readonly start: boolean;
  readonly redis: boolean;
  readonly url: string | undefined;
  readonly settings: string | undefined;
  readonly ignore: readonly string[];
  readonly drainMs: number | undefined;
  readonly timeoutMs: number | undefined;
}

/** A wrong command line. The message is a sentence. */
export class UsageError extends Error {}

const FLAGS = ['--json', '--strict', '--no-start', '--no-redis', '--help', '--version', '--codes'];
const VALUES = ['--url', '--settings', '--ignore', '--drain', '--timeout', '--explain'];
const SHORT: Readonly<Record<string, string>> = { '-h': '--help', '-v': '--version' };

/** @throws {UsageError} when it cannot be understood */
export function parse(args: readonly string[]): Order {
  const flags = new Set<string>();
  const values = new Map<string, string>();
  const targets: string[] = [];
  for (let index = 0; index < args.length; index += 1) {
    const word = SHORT[args[index] ?? ''] ?? args[index] ?? '';
    if (!word.startsWith('-')) {
      targets.push(word);
      continue;
    }
    const [name = '', ...rest] = word.split('=');
    if (FLAGS.includes(name) && rest.length === 0) flags.add(name);
    else if (VALUES.includes(name)) {
      if (rest.length === 0) index += 1;
      const value = rest.length > 0 ? rest.join('=') : args[index];
      if (value === undefined || value === '') throw new UsageError(`${name} needs a value`);
      values.set(name, value);
    } else {
      throw new UsageError(`${word} is no option; ${suggestion(name, [...FLAGS, ...VALUES])}`);
    }
  }
  return orderOf(flags, values, targets);
}

function orderOf(
  flags: ReadonlySet<string>,
  values: ReadonlyMap<string, string>,
  [target = '.', surplus]: readonly string[],
): Order {
  if (flags.has('--help')) return { kind: 'help' };
  if (flags.has('--version')) return { kind: 'version' };
  if (flags.has('--codes')) return { kind: 'codes' };
  const code = values.get('--explain')?.toUpperCase();
  if (code !== undefined) {
    if (!isCode(code)) throw new UsageError(`${code} is no code; --codes lists them`);
    return { kind: 'explain', code };
  }
  if (surplus !== undefined) throw new UsageError(`there are two targets, ${target} and ${surplus}`);
  const url = values.get('--url');
  if (url !== undefined && !isWebAddress(url)) {
    throw new UsageError(`--url must begin with http:// or https://`);
  }
  const ignore = (values.get('--ignore') ?? '')
    .split(',')
    .map((each) => each.trim().toUpperCase())
    .filter((each) => each !== '');
  const unknown = ignore.find((each) => !isCode(each));
  if (unknown !== undefined) throw new UsageError(`--ignore: ${unknown} is no code; --codes lists them`);
  return {
    kind: 'examine',
    target,
    url,
    ignore,
    json: flags.has('--json'),
    strict: flags.has('--strict'),
    start: !flags.has('--no-start'),
    redis: !flags.has('--no-redis'),
    settings: values.get('--settings'),
    drainMs: duration('--drain', values),
    timeoutMs: duration('--timeout', values),
  };
}

function duration(name: string, values: ReadonlyMap<string, string>): number | undefined {
  const text = values.get(name);
  if (text === undefined) return undefined;
  const ms = readMs(text);
  if (ms !== undefined && ms > 0 && ms <= 3_600_000) return Math.round(ms);
  throw new UsageError(`${name} must be a length of time such as 30s, got ${text}`);
}
