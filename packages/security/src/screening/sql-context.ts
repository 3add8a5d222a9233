import { SqlTokens, T } from './sql-tokens.js';
import { CONNECT, COMPARE, STATEMENT, LITERAL, CALL, SOFT_CALL } from './sql-words.js';

/** The tokens of the window at hand: one for all, since judging is synchronous. */
export const tokens: SqlTokens = new SqlTokens();

export function meaningAt(i: number): number {
  return tokens.meanings[i] ?? 0;
}

export function isWord(i: number, word: string): boolean {
  return tokens.wordAt(i) === word;
}

export function followsCall(i: number): boolean {
  const { kinds } = tokens;
  const word = tokens.wordAt(i);
  if (kinds[i + 1] === T.open) return word !== 'sleep' || kinds[i + 2] !== T.close;
  const extended = word.includes('_');
  return extended && (kinds[i + 1] === T.dot || kinds[i + 1] === T.quote);
}

/** `1,sleep(5)#`, `benchmark(10000000,md5(1))`: there is nothing else that it could be. */
export function isListedCall(i: number): boolean {
  const { kinds } = tokens;
  if (isWord(i, 'benchmark')) return kinds[i + 2] === T.number && kinds[i + 3] === T.comma;
  return kinds[i - 1] === T.comma && kinds[i - 2] === T.number && hasCommentBehind(i);
}

export function isBehindFrom(i: number): boolean {
  return isWord(i - 1, 'from') || isWord(i - 1, 'table') || isWord(i - 1, 'join');
}

/**
 * How far the text before token `i` has broken out of a value: 3 after a quote, 2 after a bracket or at the very
 * beginning, 1 after a number.
 */
export function broken(i: number, atStart: boolean): number {
  if (i <= 0) return atStart ? 2 : 0;
  const { kinds } = tokens;
  let at = i - 1;
  for (let steps = 0; steps < 6 && kinds[at] === T.close && at > 0; steps++) at -= 1;
  if (kinds[at] === T.quote) return 3;
  if (at < i - 1 || kinds[at] === T.close) return 2;
  if (kinds[at] === T.number) return at === 0 && atStart ? 2 : 1;
  if (kinds[at] === T.semicolon) return 2;
  if (kinds[at] === T.lineComment) return 1;
  return meaningAt(at) === LITERAL ? 1 : 0;
}

export function isBroken(i: number, atStart: boolean): boolean {
  for (let at = i; at > 0 && at > i - 4; at--) {
    if (broken(at, atStart) > 1) return true;
    if (tokens.kinds[at - 1] !== T.operator && tokens.kinds[at - 1] !== T.open && meaningAt(at - 1) === 0)
      return false;
  }
  return broken(i, atStart) > 1;
}

export function hasConnectBefore(i: number): boolean {
  for (let at = i - 1; at >= 0 && at > i - 6; at--) {
    const meaning = meaningAt(at);
    if (meaning === CONNECT || meaning === STATEMENT || tokens.kinds[at] === T.connect) return true;
  }
  return false;
}

/** Skips what may stand before a value: `not`, signs, brackets, a casting word. */
export function skipSigns(from: number): number {
  let i = from;
  for (let steps = 0; steps < 12; steps++, i++) {
    const kind = tokens.kinds[i];
    if (kind === T.operator || kind === T.open) continue;
    if (kind === T.compare && tokens.starts[i + 1] === (tokens.starts[i] ?? 0) + 1) continue;
    if (isWord(i, 'not') || isWord(i, 'binary')) continue;
    break;
  }
  return i;
}

/** The token behind the value that begins at `i`, or -1 when none does. */
function behindValue(i: number): number {
  const { kinds } = tokens;
  switch (kinds[i] as number) {
    case T.number:
      return i + 1;
    case T.variable:
      return kinds[i + 1] === T.word ? i + 2 : i + 1;
    case T.quote: {
      for (let at = i + 1; at < i + 8; at++) {
        if (kinds[at] === T.quote) return at + 1;
        if (kinds[at] === T.end) return at;
      }
      return -1;
    }
    case T.word: {
      let at = i + 1;
      for (let steps = 0; steps < 3 && kinds[at] === T.dot && kinds[at + 1] === T.word; steps++) at += 2;
      if (kinds[at] !== T.open) return at;
      for (let depth = 0, steps = 0; steps < 40; steps++, at++) {
        if (kinds[at] === T.open) depth += 1;
        else if (kinds[at] === T.close && --depth === 0) return at + 1;
        else if (kinds[at] === T.end) return at;
      }
      return -1;
    }
    default:
      return -1;
  }
}

export const isSimple: (kind: number | undefined) => boolean = (kind) =>
  kind === T.number || kind === T.quote;

/** After `or`, `and`, `||`: is this a condition? 0 no, 1 perhaps, up to 5 surely. */
export function conditionAt(from: number): number {
  const { kinds } = tokens;
  const i = skipSigns(from);
  const signs = i - from;
  if (kinds[i] === T.word) {
    const meaning = meaningAt(i);
    if (meaning === STATEMENT && isWord(i, 'select')) return signs > 0 ? 4 : 2;
    if (meaning === CALL && followsCall(i)) return 5;
    if ((meaning === SOFT_CALL || isWord(i, 'exists')) && kinds[i + 1] === T.open) return 3;
    if (isWord(i, 'if') && kinds[i + 1] === T.open) return 4;
    if (isWord(i, 'case') && isWord(i + 1, 'when')) return 4;
    if (meaning === LITERAL) return endsStatement(i + 1) ? 3 : comparison(i + 1) > 0 ? 3 : 1;
  }
  let behind = behindValue(i);
  if (behind < 0) return 0;
  while (kinds[behind] === T.close) behind += 1;
  const strength = comparison(behind);
  if (strength === 0) {
    // ''*': an empty string, and something is done with it.
    if (kinds[i] === T.quote && behind === i + 2 && kinds[behind] === T.operator) return 2;
    if (isSimple(kinds[i]) && endsStatement(behind))
      return kinds[i] === T.quote ? (kinds[behind] === T.end ? 1 : 2) : 2;
    return 0;
  }
  const other = skipSigns(behind + strength);
  // "a" and "b" is what people write.
  if (kinds[behind] === T.word && kinds[other] === T.word && meaningAt(other) !== LITERAL) return 0;
  if (isSimple(kinds[i]) && isSimple(kinds[other])) return 4;
  if (kinds[i] === T.word && isWord(other, tokens.wordAt(i))) return 4;
  if (kinds[i] === T.word && isSimple(kinds[other])) return 2;
  if (meaningAt(other) === LITERAL) return kinds[behind] === T.word ? 2 : 3;
  if (isSimple(kinds[i]) && (kinds[other] === T.end || kinds[other] === T.word)) return 2;
  return meaningAt(other) === STATEMENT || meaningAt(other) === SOFT_CALL ? 3 : 1;
}

/** How many tokens a comparison at `i` takes: `=`, `not like`, `is not`; 0 when there is none. */
export function comparison(i: number): number {
  const { kinds } = tokens;
  if (kinds[i] === T.compare) return kinds[i + 1] === T.compare ? 2 : 1;
  if (meaningAt(i) !== COMPARE) return 0;
  return meaningAt(i + 1) === COMPARE ? 2 : 1;
}

/** The end, a comment, a semicolon, or a clause that may follow a condition. */
export function endsStatement(i: number): boolean {
  const kind = tokens.kinds[i];
  if (kind === T.end || kind === T.lineComment || kind === T.openComment || kind === T.semicolon) return true;
  return (
    isWord(i, 'limit') ||
    isWord(i, 'order') ||
    isWord(i, 'group') ||
    isWord(i, 'having') ||
    isWord(i, 'union')
  );
}

/** Whether a comment follows soon, so that the rest of the statement does not count. */
export function hasCommentBehind(i: number): boolean {
  for (let at = i; at < i + 24; at++) {
    if (tokens.kinds[at] === T.end) return false;
    if (tokens.kinds[at] === T.lineComment || tokens.kinds[at] === T.openComment) return true;
  }
  return false;
}
