/** Enough to find the cause; a stack or a dumped response is not shown. */
const MAX_SHOWN = 300;

/** What is looked at: bounds the work of the patterns below on a message of any size. */
const MAX_READ = 2_000;

const USERINFO = /\/\/\S*@/g;
const QUERY = /\?[^\s"'<>)]*/g;
const SECRET_PAIR =
  /\b(\w{0,40}(?:password|passwd|pwd|secret|token|api[-_]?key|authorization|credential|cookie)\w{0,40}["']?\s{0,3}[:=]\s{0,3})(?:(?:bearer|basic)\s+)?("[^"]*"|'[^']*'|[^\s,;&]+)/gi;
const BEARER = /\b(bearer|basic)\s+[\w+/=.~-]{8,}/gi;
// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g;

/**
 * The message of an error and of its causes, fit for an operator's page: no stack, and no passwords,
 * tokens or query strings that a library put into its words.
 */
export function safeMessage(error: unknown): string {
  return redact(wordsOf(error));
}

/** Takes out of a text what looks like a secret, and bounds its length. */
function redact(text: string): string {
  let read = text;
  if (text.length > MAX_READ) {
    // A cut in the middle of a word could leave half of a URL, with its password but without its "@".
    const cut = text.slice(0, MAX_READ);
    read = cut.slice(0, Math.max(0, cut.lastIndexOf(' ')));
  }
  const clean = read
    .replace(CONTROL, ' ')
    .replace(USERINFO, '//***@')
    .replace(QUERY, '?***')
    .replace(SECRET_PAIR, '$1***')
    .replace(BEARER, '$1 ***')
    .trim();
  return clean.length > MAX_SHOWN ? `${clean.slice(0, MAX_SHOWN - 1)}…` : clean;
}

function wordsOf(error: unknown): string {
  const words: string[] = [];
  let current = error;
  // fetch says only "fetch failed" and puts the reason into `cause`; three levels tell enough.
  for (let level = 0; level < 3 && current !== undefined && current !== null; level++) {
    const word = ownWords(current);
    if (word !== '' && !words.includes(word)) words.push(word);
    current = current instanceof Error ? current.cause : undefined;
  }
  return words.length === 0 ? 'failed without a message' : words.join(': ');
}

function ownWords(error: unknown): string {
  if (typeof error === 'string') return error;
  if (!(error instanceof Error)) return typeof error === 'number' ? String(error) : '';
  if (error.message !== '') return error.message;
  // A connection refused on every address of a host is an AggregateError without a message.
  if (error instanceof AggregateError) return error.errors.map(ownWords).slice(0, 3).join(', ');
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}
