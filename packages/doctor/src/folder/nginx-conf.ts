/** One directive of nginx, with the block that follows it. */
export interface Directive {
  readonly name: string;
  readonly args: readonly string[];
  readonly line: number;
  readonly block: readonly Directive[];
}

/** Reads a configuration of nginx. What is no such thing gives something odd, but never throws. */
export function readNginx(text: string): Directive[] {
  const tokens = tokensOf(text);
  let at = 0;
  const block = (): Directive[] => {
    const found: Directive[] = [];
    let words: { text: string; line: number }[] = [];
    for (; at < tokens.length; at += 1) {
      const token = tokens[at];
      if (token === undefined) break;
      if (token.text === '}') break;
      if (token.text !== ';' && token.text !== '{') {
        words.push(token);
        continue;
      }
      const [first, ...rest] = words;
      words = [];
      let inner: Directive[] = [];
      if (token.text === '{') {
        at += 1;
        inner = block();
      }
      if (first === undefined) continue;
      found.push({
        name: first.text,
        args: rest.map((word) => word.text),
        line: first.line,
        block: inner,
      });
    }
    return found;
  };
  const top: Directive[] = [];
  while (at < tokens.length) {
    top.push(...block());
    at += 1;
  }
  return top;
}

function tokensOf(text: string): { text: string; line: number }[] {
  const tokens: { text: string; line: number }[] = [];
  let line = 1;
  for (const [token] of text.matchAll(
    /\n|#[^\n]*|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[;{}]|(?:\$\{\w+\}|[^\s;{}"'])+/g,
  )) {
    if (token === '\n') line += 1;
    else if (!token.startsWith('#')) {
      tokens.push({
        text: /^(["'])[^]*\1$/.test(token) && token.length > 1 ? token.slice(1, -1) : token,
        line,
      });
      line += token.split('\n').length - 1;
    }
  }
  return tokens;
}
