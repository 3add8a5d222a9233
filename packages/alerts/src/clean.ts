const MAX_LENGTH = 200;

/** What a message must not show, in the order in which it is taken out. All are linear in the length of the text. */
const SECRETS: readonly (readonly [RegExp, string])[] = [
  // Credentials, query and fragment of a URL; a path may hold a token as well.
  [/\b([a-z][a-z0-9+.-]{1,20}:\/\/)(?:[^\s/@]{0,200}@)?([^\s/?#"'<>)]{0,200})[^\s"'<>)]{0,500}/gi, '$1$2'],
  [/\?[^\s"'<>)]{1,500}/g, ''],
  [/[^\s@"'<>()]{1,64}@[^\s@"'<>()]{1,200}/g, '[email]'],
  [/\b\d{1,3}(?:\.\d{1,3}){3}\b/g, '[address]'],
  // IPv6 in full, or shortened with two colons; a time of day is neither.
  [/(?<![\w:])(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}(?![\w:])/gi, '[address]'],
  [
    /(?<![\w:])(?:[0-9a-f]{1,4}:){0,6}(?:[0-9a-f]{1,4})?::(?:[0-9a-f]{1,4}:){0,6}[0-9a-f]{1,4}(?![\w:])/gi,
    '[address]',
  ],
  [/\b(?:bearer|basic)\s+\S{1,500}/gi, '[secret]'],
  [/\b((?:password|passwd|secret|token|api[-_]?key)\w{0,20})\s*[=:]\s*\S{1,500}/gi, '$1=[secret]'],
  [/[\w+/=.-]{40,500}/g, '[secret]'],
];

/** One line of text without addresses, queries, credentials and what looks like a key. */
export function clean(text: string): string {
  // A long text is cut first, so that no pattern has much to look at.
  let line = text
    .slice(0, 1_000)
    .replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029\s]+/gu, ' ')
    .trim();
  for (const [pattern, replacement] of SECRETS) line = line.replace(pattern, replacement);
  return line.length > MAX_LENGTH ? `${line.slice(0, MAX_LENGTH - 1)}…` : line;
}

/** What may be said of an error: its code where it has one, else what kind it is. Its message may hold anything. */
export function nameOfError(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const code: unknown = Reflect.get(error, 'code');
  if (typeof code === 'string' && /^[A-Za-z][\w-]{1,40}$/.test(code)) return code;
  return error instanceof Error && error.name !== 'Error' ? clean(error.name) : undefined;
}
