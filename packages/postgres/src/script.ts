/**
 * In the order in which Postgres reads them: comments, strings in dollars, quoted names, strings with escapes, strings, words,
 * and what tells where a statement ends.
 */
const TOKENS =
  /--[^\n]*|\/\*|\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$|"[^"]*"?|[eE]'(?:[^'\\]|\\[\s\S]|'')*'?|'[^']*'?|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*|[();]/g;

/** A function whose body is SQL of its own: `CREATE FUNCTION … BEGIN ATOMIC … END`. */
const ROUTINE = /^create (?:or replace )?(?:function|procedure) /;

/**
 * The statements of a script, without what stands between them. Sent as one text they would be one transaction. It ends them
 * where psql does: not in brackets, as those of a rule, and not in the body of a function.
 */
export function statementsOf(script: string): string[] {
  const statements: string[] = [];
  const tokens = new RegExp(TOKENS);
  let start = 0;
  let words = '';
  let brackets = 0;
  let blocks = 0;
  let isEmpty = true;

  function cut(end: number): void {
    if (!isEmpty) statements.push(script.slice(start, end).trim());
    start = end + 1;
    words = '';
    brackets = 0;
    blocks = 0;
    isEmpty = true;
  }

  for (let match = tokens.exec(script); match !== null; match = tokens.exec(script)) {
    const [token] = match;
    if (token === '/*') tokens.lastIndex = endOfComment(script, tokens.lastIndex);
    if (token.startsWith('--') || token === '/*') continue;
    if (token.startsWith('$')) tokens.lastIndex = endOf(script, token, tokens.lastIndex);
    if (token === ';' && brackets === 0 && blocks === 0) {
      cut(match.index);
      continue;
    }
    isEmpty = false;
    if (token === '(') brackets += 1;
    else if (token === ')') brackets = Math.max(0, brackets - 1);
    else if (brackets === 0 && /^\w+$/.test(token)) {
      const word = token.toLowerCase();
      // The first four tell what is made.
      if (words.length < 40) words += `${word} `;
      blocks = blocksAfter(word, blocks, words);
    }
  }
  cut(script.length);
  return statements;
}

function blocksAfter(word: string, blocks: number, words: string): number {
  if (!ROUTINE.test(words)) return 0;
  if (word === 'begin' || (word === 'case' && blocks > 0)) return blocks + 1;
  return word === 'end' && blocks > 0 ? blocks - 1 : blocks;
}

/** Comments may have others in them. */
function endOfComment(script: string, from: number): number {
  const marks = /\/\*|\*\//g;
  marks.lastIndex = from;
  for (let depth = 1; depth > 0; ) {
    const mark = marks.exec(script);
    if (mark === null) return script.length;
    depth += mark[0] === '/*' ? 1 : -1;
  }
  return marks.lastIndex;
}

function endOf(script: string, mark: string, from: number): number {
  const at = script.indexOf(mark, from);
  return at === -1 ? script.length : at + mark.length;
}
