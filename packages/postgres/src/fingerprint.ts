const MAX_LENGTH = 1_000;
/** Texts that are remembered; a program has a few hundred, unless it puts values into them. */
const MAX_KNOWN = 1_000;

const known = new Map<string, string>();

/**
 * A statement without its literals and comments, so that it can be shown, and so that the same statement looks the
 * same whatever it is run with.
 *
 * @example
 * fingerprint("SELECT *  FROM users WHERE email = 'a@b.example' AND id IN (1, 2)");
 * // SELECT * FROM users WHERE email = ? AND id IN (?)
 */
export function fingerprint(text: string): string {
  const found = known.get(text);
  if (found !== undefined) return found;
  const made = withoutLiterals(text);
  if (known.size >= MAX_KNOWN) known.clear();
  // A text of megabytes is not kept for its own sake.
  if (text.length <= 10 * MAX_LENGTH) known.set(text, made);
  return made;
}

/**
 * In the order in which Postgres reads them: comments, strings in dollars, quoted names (kept), strings with
 * escapes, strings, words and parameters (kept), numbers, white space. What does not end goes to the end.
 */
const TOKENS =
  /--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|\$([A-Za-z_]\w*)?\$[\s\S]*?(?:\$\1\$|$)|"(?:[^"]|"")*"?|[eE]'(?:[^'\\]|\\[\s\S]|'')*'?|(?:[bBxXnN]|[uU]&)?'(?:[^']|'')*'?|\$\d+|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*|(?:\d|\.\d)[\w.]*(?:(?<=[eE])[+-]\d+)?|\s+/g;

function withoutLiterals(text: string): string {
  return text
    .slice(0, 10 * MAX_LENGTH)
    .replace(TOKENS, (token) => replacement(token))
    .replace(/ {2,}/g, ' ')
    .replace(/\(\s*(?:\?|\$\d+)(?:\s*,\s*(?:\?|\$\d+))+\s*\)/g, '(?)')
    .replace(/(\(\?\))(?:\s*,\s*\(\?\))+/g, '$1')
    .trim()
    .slice(0, MAX_LENGTH);
}

function replacement(token: string): string {
  const [first = ''] = token;
  if (token.startsWith('--') || token.startsWith('/*') || /\s/.test(first)) return ' ';
  if (/^\$\d/.test(token) || first === '"') return token;
  if (first === '$' || first === '.' || /\d/.test(first) || token.includes("'")) return '?';
  return token;
}
