import { isContainer, isPlainObject } from './plain.js';

export interface Limits {
  readonly maxDepth: number;
  readonly maxKeys: number;
}

/** Why a value is refused before any schema sees it. */
export interface Excess {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

interface Level {
  readonly value: Record<string, unknown> | unknown[];
  /** Of an object; an array has none. */
  readonly keys: readonly string[] | undefined;
  readonly length: number;
  next: number;
}

/**
 * Looks for what no schema should have to cope with: nesting that overflows stacks, more fields than
 * anybody means, and keys that pollute prototypes once somebody merges them.
 *
 * It stops at the first such thing, uses no recursion, and takes time in proportion to `maxKeys`.
 */
export function findExcess(value: unknown, { maxDepth, maxKeys }: Limits): Excess | undefined {
  if (!isContainer(value)) return undefined;
  const levels: Level[] = [levelOf(value)];
  let seen = 0;

  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    if (level.next === level.length) {
      levels.pop();
      continue;
    }
    if (level.next === 0) {
      seen += level.length;
      if (seen > maxKeys) return { path: pathTo(levels), message: `More than ${maxKeys} fields and items` };
    }
    const index = level.next;
    level.next += 1;
    const key = level.keys?.[index];
    const child = childOf(level, index);
    if (key !== undefined && pollutes(key, child)) {
      return { path: [...pathTo(levels), key], message: 'Not allowed as a name' };
    }
    if (!isContainer(child)) continue;
    if (levels.length === maxDepth) {
      return { path: [...pathTo(levels), key ?? index], message: `Deeper than ${maxDepth} levels` };
    }
    levels.push(levelOf(child));
  }
  return undefined;
}

function levelOf(value: Record<string, unknown> | unknown[]): Level {
  if (Array.isArray(value)) return { value, keys: undefined, length: value.length, next: 0 };
  const keys = Object.keys(value);
  return { value, keys, length: keys.length, next: 0 };
}

function childOf({ value, keys }: Level, index: number): unknown {
  return Array.isArray(value) ? value[index] : value[keys?.[index] ?? ''];
}

/** The way to the level at the top: what each level below is at. */
function pathTo(levels: readonly Level[]): PropertyKey[] {
  return levels.slice(0, -1).map(({ keys, next }) => keys?.[next - 1] ?? next - 1);
}

/** `__proto__`, and the way around it, `constructor.prototype`. A field named `constructor` is harmless. */
function pollutes(key: string, child: unknown): boolean {
  if (key === '__proto__') return true;
  return key === 'constructor' && isPlainObject(child) && Object.hasOwn(child, 'prototype');
}
