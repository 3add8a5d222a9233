import { isPlain } from './names.js';
import type { KindOf, ResolvedScreening } from './options.js';
import { ShortTexts } from './short-texts.js';
import { judgeField, kindOf, refuse, type Verdict } from './verdict.js';

interface Level {
  readonly value: Record<string, unknown> | unknown[];
  /** Of an object; an array has none. */
  readonly keys: readonly string[] | undefined;
  /** The nearest key above: what the items of an array are looked up by. */
  readonly name: string;
  next: number;
}

/** Operators that run code, or that no program has a reason to take from outside. */
const OPERATORS: ReadonlySet<string> = new Set(['$where', '$function', '$accumulator', '$expr']);

/** Judges what a parser made of a body, without recursion; it is only read. */
export function judgeBody(
  body: unknown,
  kinds: KindOf,
  limits: ResolvedScreening['limits'],
): Verdict | undefined {
  const texts = new ShortTexts();
  if (typeof body === 'string')
    return body.length > limits.maxLength
      ? refuse('body', 'limit.size')
      : judgeString(body, '', kinds, texts);
  if (!isContainer(body)) return undefined;
  const verdict = judgeLevels(body, kinds, limits, texts);
  // What is left came before whatever else is refused.
  return texts.judgeRest() ?? verdict;
}

function judgeLevels(
  body: Record<string, unknown> | unknown[],
  kinds: KindOf,
  { maxDepth, maxKeys, maxLength }: ResolvedScreening['limits'],
  texts: ShortTexts,
): Verdict | undefined {
  const levels: Level[] = [levelOf(body, '')];
  let seen = 0;
  let length = 0;

  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const { keys, value, next } = level;
    if (next === 0) {
      seen += keys === undefined ? (value as unknown[]).length : keys.length;
      if (seen > maxKeys) return refuse('body', 'limit.keys');
    }
    if (next === (keys ?? (value as unknown[])).length) {
      levels.pop();
      continue;
    }
    level.next += 1;
    const key = keys?.[next];
    const child = key === undefined ? (value as unknown[])[next] : (value as Record<string, unknown>)[key];
    if (key !== undefined) {
      const verdict = judgeKey(key, child);
      if (verdict !== undefined) return verdict;
      length += key.length;
    }
    if (typeof child === 'string') {
      length += child.length;
      if (length > maxLength) return refuse('body', 'limit.size');
      const verdict = judgeString(child, key ?? level.name, kinds, texts);
      if (verdict !== undefined) return verdict;
    } else if (isContainer(child)) {
      if (levels.length === maxDepth) return refuse('body', 'limit.depth');
      levels.push(levelOf(child, key ?? level.name));
    }
  }
  return undefined;
}

function judgeString(text: string, name: string, kinds: KindOf, texts: ShortTexts): Verdict | undefined {
  const kind = kindOf(kinds, name);
  return kind === false || isPlain(text, false) ? undefined : texts.judge(text, kind);
}

/** `__proto__` as JSON.parse leaves it, an own key; and the way around it. A field named `constructor` is harmless. */
function judgeKey(key: string, child: unknown): Verdict | undefined {
  if (key === '__proto__') return refuse('body', 'pollution.name');
  if (key === 'constructor' && isContainer(child) && Object.hasOwn(child, 'prototype'))
    return refuse('body', 'pollution.name');
  if (OPERATORS.has(key)) return refuse('body', 'nosql.operator');
  return isPlain(key, true) ? undefined : judgeField(key, 'text', 'body');
}

function levelOf(value: Record<string, unknown> | unknown[], name: string): Level {
  return { value, keys: Array.isArray(value) ? undefined : Object.keys(value), name, next: 0 };
}

/** What JSON and forms are made of. Buffers, streams, dates and whatever else is left alone. */
function isContainer(value: unknown): value is Record<string, unknown> | unknown[] {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
