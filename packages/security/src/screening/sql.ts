import {
  tokens,
  followsCall,
  isListedCall,
  isBehindFrom,
  isBroken,
  hasConnectBefore,
} from './sql-context.js';
import { judgeComparison, judgeQuote, judgeOperator, judgeComment } from './sql-quotes.js';
import {
  judgeClause,
  judgeCondition,
  judgeStacked,
  judgeStatement,
  judgeSubquery,
  judgeVariable,
} from './sql-statements.js';
import { T } from './sql-tokens.js';
import { CONNECT, COMPARE, STATEMENT, CLAUSE, CALL, SCHEMA, SOFT_CALL } from './sql-words.js';
import type { Tally } from './tally.js';

/** Judges one lower-case window; `atStart` where it begins with the text itself. */
export function judgeSql(text: string, atStart: boolean, tally: Tally): void {
  tokens.read(text);
  const { kinds, meanings, count } = tokens;
  if (count < 2 && tokens.versionComments === 0) return;
  let calls = 0;
  let keywords = 0;
  let schemas = 0;

  for (let i = 0; i < count; i++) {
    const kind = kinds[i];
    if (kind === T.word) {
      const meaning = meanings[i];
      if (meaning === 0) continue;
      if (meaning !== SOFT_CALL && meaning !== COMPARE) keywords += 1;
      if (meaning === CONNECT) judgeCondition(i, atStart, tally);
      else if (meaning === CLAUSE) judgeClause(i, atStart, tally);
      else if (meaning === STATEMENT) judgeStatement(i, atStart, tally);
      else if (meaning === CALL && followsCall(i)) {
        calls += 1;
        tally.add(
          'sql.function',
          (i > 0 && isBroken(i, atStart)) || hasConnectBefore(i) || isListedCall(i) ? 5 : 3,
        );
      } else if (meaning === SCHEMA && (kinds[i + 1] === T.dot || isBehindFrom(i))) schemas += 1;
      else if (meaning === SOFT_CALL && kinds[i + 1] === T.open) calls += 1;
      if (meaning === COMPARE && i > 0) judgeComparison(i, tally);
    } else if (kind === T.connect || kind === T.operator) {
      if (kind === T.connect) judgeCondition(i, atStart, tally);
      judgeOperator(i, atStart, tally);
    } else if (kind === T.compare) judgeComparison(i, tally);
    else if (kind === T.quote) judgeQuote(i, atStart, tally);
    else if (kind === T.semicolon) judgeStacked(i, atStart, tally);
    else if (kind === T.open) judgeSubquery(i, atStart, tally);
    else if (kind === T.variable) judgeVariable(i, atStart, tally);
    else if (kind === T.lineComment && i > 0) judgeComment(i, atStart, tally);
  }
  if (schemas > 0) tally.add('sql.function', keywords > 1 ? 4 : 2);
  if (calls > 2 && keywords > 1) tally.add('sql.function', 3);
  if (tokens.versionComments > 0 && keywords > 0) tally.add('sql.obfuscation', 5);
  if (tokens.inlineComments > 0 && keywords > 0 && (tokens.inlineComments > 1 || keywords > 1)) {
    tally.add('sql.obfuscation', tokens.inlineComments > 2 ? 4 : 3);
  }
}
