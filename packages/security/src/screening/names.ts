import type { ScreenedPart } from './screened-error.js';
import { judgeField, refuse, type Verdict } from './verdict.js';

/** Letters, digits and what links them: nothing that a rule could find. */
const PLAIN = new Uint8Array(65_536);
for (const char of 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-~,') {
  PLAIN[char.charCodeAt(0)] = 1;
}
/** Harmless alone: two in a row lead up a folder, to a prototype, or to a variable of a database. */
const SINGLE = 2;
const SLASH = 3;
for (const char of '._@') PLAIN[char.charCodeAt(0)] = SINGLE;
PLAIN['/'.charCodeAt(0)] = SLASH;

/** One word, or a path of such: most parameters and most paths. */
export function isPlain(text: string, slashes: boolean): boolean {
  for (let i = 0; i < text.length; i++) {
    const kind = PLAIN[text.charCodeAt(i)];
    if (kind === 1 || (kind === SLASH && slashes)) continue;
    if (kind !== SINGLE || text.charCodeAt(i + 1) === text.charCodeAt(i)) return false;
  }
  return true;
}

/** `a[__proto__][b]`, `constructor.prototype`: a way to a prototype once somebody unfolds the name. */
const POLLUTING = /(?:^|[[.\]])(?:__proto__|constructor(?:\]?[[.]|%5b)prototype)(?:$|[[.\]=])/;
/** `user[$ne]`: an operator of MongoDB once somebody unfolds the name. */
const OPERATOR =
  /\[\$[a-z]{2,16}\]?|^\$(?:ne|eq|gte?|lte?|n?in|regex|where|exists|or|and|nor|not|expr|function|jsonschema)$/i;

/** Judges the name of a parameter. */
export function judgeName(name: string, part: ScreenedPart, maxDepth: number): Verdict | undefined {
  if (isPlain(name, false) && !name.includes('__proto__') && !name.includes('constructor.')) return undefined;
  if (POLLUTING.test(name)) return refuse(part, 'pollution.name');
  if (OPERATOR.test(name)) return refuse(part, 'nosql.operator');
  if (depthOf(name) > maxDepth) return refuse(part, 'limit.depth');
  return judgeField(name, 'text', part);
}

function depthOf(name: string): number {
  let depth = 0;
  for (let at = name.indexOf('['); at >= 0; at = name.indexOf('[', at + 1)) depth += 1;
  return depth;
}
