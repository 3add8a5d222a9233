import {
  hasCommentBehind,
  tokens,
  meaningAt,
  isWord,
  followsCall,
  broken,
  isBroken,
  hasConnectBefore,
  conditionAt,
  endsStatement,
} from './sql-context.js';
import { isFaced } from './sql-quotes.js';
import { T } from './sql-tokens.js';
import { STATEMENT, LITERAL, CALL, MODIFIER, OBJECTS } from './sql-words.js';
import type { Tally } from './tally.js';

export function judgeCondition(i: number, atStart: boolean, tally: Tally): void {
  const before = broken(i, atStart);
  const condition = conditionAt(i + 1);
  if (condition === 0) {
    if (isFaced(i, i + 1)) tally.add('sql.tautology', 5);
    // ' or  and nothing more: a probe.
    if (before === 3 && tokens.kinds[i + 1] === T.end && i > 0) tally.add('sql.tautology', 3);
    return;
  }
  const weight = isFaced(i, i + 1)
    ? 5
    : before === 0
      ? condition >= 4
        ? 3
        : condition > 2
          ? 1
          : 0
      : condition + before - (condition < 3 && before < 3 ? 1 : 0);
  tally.add('sql.tautology', Math.min(weight, 5));
}

export function judgeClause(i: number, atStart: boolean, tally: Tally): void {
  const { kinds } = tokens;
  const before = broken(i, atStart);
  switch (tokens.wordAt(i)) {
    case 'union': {
      let at = i + 1;
      while (kinds[at] === T.open || meaningAt(at) === MODIFIER) at += 1;
      if (!isWord(at, 'select') && !isWord(at, 'values')) return;
      if (isWord(at, 'values') && kinds[at + 1] !== T.open) return;
      const list = at + 1;
      const listed = isListed(list);
      tally.add('sql.union', before > 1 || listed ? 5 : before === 1 ? 4 : at > i + 1 ? 3 : 2);
      return;
    }
    case 'having':
      if (before > 0 || conditionAt(i + 1) >= 4)
        tally.add('sql.clause', Math.min(conditionAt(i + 1) + before, 5));
      return;
    case 'where':
      if (conditionAt(i + 1) >= 4) tally.add('sql.clause', before > 1 ? 5 : 2);
      else if (before === 3 && conditionAt(i + 1) > 1) tally.add('sql.clause', 4);
      return;
    case 'order':
    case 'group': {
      if (!isWord(i + 1, 'by')) return;
      const column = kinds[i + 2];
      if (before === 3 && column !== T.quote) tally.add('sql.clause', 4 + (column === T.number ? 1 : 0));
      else if (before > 0 && column === T.number)
        tally.add('sql.clause', endsStatement(i + 3) || kinds[i + 3] === T.comma ? 5 : 3);
      else if (column === T.number && kinds[i + 3] === T.lineComment) tally.add('sql.clause', 5);
      return;
    }
    case 'limit':
      if (before > 1 && kinds[i + 1] === T.number) tally.add('sql.clause', 4);
      return;
    case 'procedure':
      if (isWord(i + 1, 'analyse')) tally.add('sql.clause', 5);
      return;
    case 'into':
      if (isWord(i + 1, 'outfile') || isWord(i + 1, 'dumpfile'))
        tally.add(
          'sql.clause',
          kinds[i + 2] === T.quote || kinds[i + 2] === T.variable || before > 1 ? 5 : 3,
        );
      return;
    default:
  }
}

/** A select list as injections write it: values and commas, nulls, a variable, a star. */
function isListed(i: number): boolean {
  const { kinds } = tokens;
  const kind = kinds[i];
  if (kind === T.number || kind === T.variable || kind === T.operator || kind === T.open || kind === T.quote)
    return true;
  if (meaningAt(i) === LITERAL) return true;
  if (kind !== T.word) return false;
  return (
    kinds[i + 1] === T.comma || kinds[i + 1] === T.open || isWord(i + 1, 'from') || kinds[i + 1] === T.dot
  );
}

export function judgeStatement(i: number, atStart: boolean, tally: Tally): void {
  const { kinds } = tokens;
  const word = tokens.wordAt(i);
  const before = broken(i, atStart);
  if (word === 'waitfor' && (isWord(i + 1, 'delay') || isWord(i + 1, 'time'))) {
    tally.add(
      'sql.statement',
      kinds[i + 2] === T.quote || kinds[i + 2] === T.variable
        ? before > 0 || hasConnectBefore(i)
          ? 5
          : 3
        : before > 1 && i > 0
          ? 5
          : 1,
    );
    return;
  }
  if ((word === 'exec' || word === 'execute') && i > 0) {
    const target = tokens.wordAt(i + 1);
    const isTarget =
      kinds[i + 1] === T.open ||
      kinds[i + 1] === T.variable ||
      target.startsWith('xp_') ||
      target.startsWith('sp_') ||
      target === 'master' ||
      target === 'immediate';
    if (isTarget) tally.add('sql.statement', before > 1 ? 5 : 3);
    return;
  }
  if (word === 'exec' && (tokens.wordAt(i + 1).startsWith('xp_') || isWord(i + 1, 'master'))) {
    tally.add('sql.statement', 3);
    return;
  }
  if (before !== 3 && !(before === 2 && i > 0)) return;
  if (word === 'select') {
    const isQuoted =
      kinds[i + 1] === T.quote && tokens.starts[i + 1] === (tokens.starts[i] ?? 0) + word.length;
    if (!isQuoted && isListed(i + 1)) tally.add('sql.statement', before === 3 ? 5 : 2);
    return;
  }
  if (hasObject(i)) tally.add('sql.statement', before === 3 ? 5 : 2);
}

function hasObject(i: number): boolean {
  const { kinds } = tokens;
  const objects = OBJECTS[tokens.wordAt(i)];
  return objects !== undefined && kinds[i + 1] === T.word && objects.includes(` ${tokens.wordAt(i + 1)} `);
}

/** `; drop table x`: a second statement. */
export function judgeStacked(i: number, atStart: boolean, tally: Tally): void {
  const { kinds } = tokens;
  let at = i + 1;
  while (kinds[at] === T.semicolon || kinds[at] === T.open) at += 1;
  if (meaningAt(at) !== STATEMENT) {
    if (meaningAt(at) === CALL && followsCall(at)) tally.add('sql.statement', 5);
    return;
  }
  const before = broken(i, atStart);
  const word = tokens.wordAt(at);
  const next = kinds[at + 1];
  let weight = 0;
  if (hasObject(at)) weight = 3;
  else if (word === 'select') weight = isListed(at + 1) ? 3 : 1;
  else if (word === 'shutdown') weight = endsStatement(at + 1) || isWord(at + 1, 'with') ? 3 : 1;
  else if (word === 'declare' || word === 'set') weight = next === T.variable ? 4 : 0;
  else if (word === 'exec' || word === 'execute' || word === 'call')
    weight = next === T.word || next === T.open ? 3 : 0;
  else if (word === 'update')
    weight = isWord(at + 2, 'set') || (kinds[at + 2] === T.dot && isWord(at + 4, 'set')) ? 3 : 0;
  else if (word === 'if' || word === 'while' || word === 'use' || word === 'copy' || word === 'do')
    weight = next === T.open || next === T.number || before > 1 ? 1 : 0;
  else if (word === 'begin' || word === 'commit' || word === 'rollback') weight = before > 1 ? 2 : 0;
  if (weight === 0) return;
  // A quote or a number before it says that a value ends here; a comment behind it, that the rest must not count.
  const cut = hasCommentBehind(at) ? 1 : 0;
  tally.add('sql.statement', Math.min(weight + (before > 1 ? 2 : before > 0 ? 1 : 0) + cut, 5));
}

/** `(select … from`: a query inside of a value. */
export function judgeSubquery(i: number, atStart: boolean, tally: Tally): void {
  if (!isWord(i + 1, 'select')) return;
  const before = i > 0 ? tokens.kinds[i - 1] : T.end;
  const joined =
    before === T.operator || before === T.compare || before === T.connect || meaningAt(i - 1) !== 0;
  const listed = isListed(i + 2);
  if (isBroken(i, atStart) && (joined || i <= 1)) tally.add('sql.subquery', 5);
  else tally.add('sql.subquery', listed ? (joined ? 3 : 2) : 1);
}

/** `@@version`. */
export function judgeVariable(i: number, atStart: boolean, tally: Tally): void {
  const double = (tokens.starts[i + 1] ?? 0) - (tokens.starts[i] ?? 0) === 2;
  if (!double || tokens.kinds[i + 1] !== T.word) return;
  tally.add('sql.function', isBroken(i, atStart) ? 4 : hasConnectBefore(i) ? 3 : 2);
}
