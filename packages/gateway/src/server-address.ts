/** Where a server is, taken apart so that its password cannot be shown by accident. */
export interface ServerAddress {
  /** Such as `http://10.0.0.7:8080`: without credentials, path or query. */
  origin: string;
  /** Put before each path: `''`, or such as `/searx`. */
  prefix: string;
  /** The `Authorization` field made of the URL's user name and password. */
  authorization: string | undefined;
}

/**
 * @param at how messages begin, such as `upstreams: "searxng.urls`
 * @throws {TypeError} naming the index of the bad URL, and what is wrong with it
 */
export function serverAddresses(at: string, urls: unknown): ServerAddress[] {
  const list: readonly unknown[] = Array.isArray(urls) ? urls : [urls];
  if (urls === undefined || list.length === 0) {
    throw new TypeError(
      `${at}" must be a URL or a list of at least one, got ${urls === undefined ? 'undefined' : '[]'}`,
    );
  }
  const seen = new Set<string>();
  return list.map((url, index) => {
    const option = Array.isArray(urls) ? `${at}[${index}]"` : `${at}"`;
    const address = serverAddress(option, url);
    const key = address.origin + address.prefix;
    if (seen.has(key)) throw new TypeError(`${option} is there twice: ${key}`);
    seen.add(key);
    return address;
  });
}

function serverAddress(option: string, value: unknown): ServerAddress {
  const text = value instanceof URL ? value.href : value;
  if (typeof text !== 'string') throw new TypeError(`${option} must be a URL, got ${String(value)}`);
  const bad = (wanted: string): TypeError =>
    new TypeError(`${option} ${wanted}, got "${withoutCredentials(text)}"`);

  // URL.parse is not in Node 20.19.
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) throw bad('must be a URL');
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw bad('must begin with http:// or https://');
  if (url.search !== '' || url.hash !== '') throw bad('must have no query and no fragment');

  try {
    return {
      origin: url.origin,
      prefix: url.pathname.replace(/\/+$/, ''),
      authorization: basicAuthorization(url),
    };
  } catch {
    throw bad('must have its user name and password percent-encoded');
  }
}

/** RFC 7617 section 2, in UTF-8. */
function basicAuthorization({ username, password }: URL): string | undefined {
  if (username === '' && password === '') return undefined;
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${Buffer.from(credentials).toString('base64')}`;
}

function withoutCredentials(url: string): string {
  return url.replace(/\/\/.*@/, '//***@');
}
