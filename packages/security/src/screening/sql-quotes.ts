import { tokens, meaningAt, broken, skipSigns, isSimple, comparison, endsStatement } from './sql-context.js';
import { T } from './sql-tokens.js';
import { CONNECT, COMPARE, STATEMENT, CALL, SOFT_CALL } from './sql-words.js';
import type { Tally } from './tally.js';

/** `'a'='a`, `1 like 1`: a comparison of two literals has no place in a value. */
export function judgeComparison(i: number, tally: Tally): void {
  const { kinds } = tokens;
  const width = comparison(i);
  const before = kinds[i - 1];
  const after = kinds[i + width];
  if (before === T.quote && after === T.quote) {
    // A' like 'B: two quotes in all, and neither opens a word.
    const alone = isFaced(i, i + width);
    tally.add(
      'sql.operator',
      (kinds[i - 2] === T.quote && i < 3) || alone ? 5 : hasQuoteConnect(i) ? 4 : i < 3 ? 4 : 1,
    );
  }
}

/** `A' like 'B` or `'='`, and nothing else: quotes before the operator at `i` and at `next`, that face outwards. */
export function isFaced(i: number, next: number): boolean {
  const { kinds, count, quotes } = tokens;
  if (quotes !== 2 || kinds[i - 1] !== T.quote || kinds[next] !== T.quote || tokens.doubled[next] === 1)
    return false;
  if (i === 1) return next === count - 1;
  // Without spaces between words, as in Japanese, this is how a quoted sign is mentioned.
  return i === 2 && next === count - 2 && isShort(0) && isShort(count - 1);
}

function isShort(i: number): boolean {
  const { kinds } = tokens;
  return kinds[i] === T.number || /^[a-z0-9_]{1,12}$/.test(tokens.wordAt(i));
}

function hasQuoteConnect(i: number): boolean {
  for (let at = i - 2; at >= 0 && at > i - 8; at--) {
    if (meaningAt(at) === CONNECT || tokens.kinds[at] === T.connect) return true;
  }
  return false;
}

/** `#top`, not `# the rest`. */
function isGlued(i: number): boolean {
  return tokens.kinds[i + 1] !== T.end && tokens.starts[i + 1] === (tokens.starts[i] ?? 0) + 1;
}

function isDoubleQuote(i: number): boolean {
  return tokens.doubled[i] === 1;
}

/** What directly follows a quote. */
export function judgeQuote(i: number, atStart: boolean, tally: Tally): void {
  const { kinds } = tokens;
  let at = i + 1;
  while (kinds[at] === T.close) at += 1;
  const kind = kinds[at];
  if (kind === T.lineComment || kind === T.openComment) {
    // O'Brien--what: a comment only if nothing but spaces is between, and little comes before.
    const opens = i === 0 && !atStart;
    if (opens) return;
    const ends = kinds[at + 1] === T.end;
    if (kind === T.openComment) tally.add('sql.comment', i < 4 ? 5 : 3);
    else if (ends) tally.add('sql.comment', 5);
    else if (at > i + 1 || i < 6) tally.add('sql.comment', isGlued(at) ? 2 : i < 4 ? 4 : 3);
    return;
  }
  if (kind === T.semicolon && (kinds[at + 1] === T.lineComment || kinds[at + 1] === T.openComment))
    tally.add('sql.comment', 5);
  if (kind === T.word && at === i + 1) {
    // 'union, 'select without a space is only written to break out.
    const meaning = meaningAt(at);
    if (meaning === COMPARE && i < 3 && (kinds[at + 1] === T.quote || kinds[at + 1] === T.open))
      tally.add('sql.operator', 4);
  }
}

/** `'-'`, `'||(`, `1-sleep(5)`: an operator that joins a quote to something that counts. */
export function judgeOperator(i: number, atStart: boolean, tally: Tally): void {
  const { kinds, count } = tokens;
  if (i === 0) return;
  const before = broken(i, atStart);
  let at = i + 1;
  while (kinds[at] === T.operator || kinds[at] === T.connect) at += 1;
  if (before === 3) {
    const call = skipSigns(at);
    const meaning = meaningAt(call);
    if ((meaning === CALL || meaning === STATEMENT) && kinds[call - 1] === T.open)
      tally.add('sql.operator', 5);
    else if ((meaning === CALL || meaning === SOFT_CALL) && kinds[call + 1] === T.open)
      tally.add('sql.operator', i < 4 ? 5 : 3);
    else if (count < 7 && i <= 2 && kinds[at] === T.end) tally.add('sql.operator', i === 1 ? 2 : 1);
    else if (
      i <= 2 &&
      isSimple(kinds[at]) &&
      (endsStatement(at + 1) || (isSimple(kinds[at + 1]) && endsStatement(at + 2)))
    ) {
      tally.add('sql.operator', isDoubleQuote(i - 1) ? 4 : 5);
    } else if (kinds[at] === T.lineComment) tally.add('sql.operator', 4);
  } else if (before > 0 && meaningAt(at) === CALL && kinds[at + 1] === T.open) tally.add('sql.operator', 5);
}

/** A comment that ends a statement early: `1--`, `1) or 1#`. */
export function judgeComment(i: number, atStart: boolean, tally: Tally): void {
  const { kinds } = tokens;
  const text = (tokens.starts[i + 1] ?? 0) - (tokens.starts[i] ?? 0);
  if (kinds[i + 1] !== T.end || text < 1) return;
  const before = kinds[i - 1];
  if (before === T.quote) tally.add('sql.comment', 5);
  else if (before === T.close || (before === T.number && i === 1 && atStart)) tally.add('sql.comment', 2);
}
