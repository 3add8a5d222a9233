import { parsedUrl, wrongOption } from '@signalbox/options';

/** Where a server is, taken apart so that its password cannot be shown by accident. */
export interface ServerAddress {
  /** Such as `http://10.0.0.7:8080`: without credentials, path or query. */
  origin: string;
  /** Put before each path: `''`, or such as `/searx`. */
  prefix: string;
  /** The `Authorization` field made of the URL's user name and password. */
  authorization: string | undefined;
}

/** @throws {TypeError} naming the index of the bad URL, and what is wrong with it */
export function serverAddresses(owner: string, option: string, urls: unknown): ServerAddress[] {
  const list: readonly unknown[] = Array.isArray(urls) ? urls : [urls];
  if (urls === undefined || list.length === 0) {
    throw wrongOption(owner, option, 'a URL or a list of at least one', urls);
  }
  const seen = new Set<string>();
  return list.map((url, index) => {
    const place = Array.isArray(urls) ? `${option}[${index}]` : option;
    const address = serverAddress(owner, place, url);
    const key = address.origin + address.prefix;
    if (seen.has(key)) throw new TypeError(`${owner}: "${place}" is there twice: ${key}`);
    seen.add(key);
    return address;
  });
}

function serverAddress(owner: string, option: string, value: unknown): ServerAddress {
  const text = value instanceof URL ? value.href : value;
  // Its user and password are not shown.
  const bad = (wanted: string): TypeError => wrongOption(owner, option, wanted, text);
  if (typeof text !== 'string') throw bad('a URL');

  const url = parsedUrl(text);
  if (url === undefined) throw bad('a URL');
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw bad('a URL that begins with http:// or https://');
  }
  if (url.search !== '' || url.hash !== '') throw bad('a URL without query and fragment');

  try {
    return {
      origin: url.origin,
      prefix: url.pathname.replace(/\/+$/, ''),
      authorization: basicAuthorization(url),
    };
  } catch {
    throw bad('a URL whose user name and password are percent-encoded');
  }
}

/** RFC 7617 section 2, in UTF-8. */
function basicAuthorization({ username, password }: URL): string | undefined {
  if (username === '' && password === '') return undefined;
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${Buffer.from(credentials).toString('base64')}`;
}
