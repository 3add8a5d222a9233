import { CookieJar } from 'tough-cookie';
import { parsedUrl } from './parsed-url.js';

/** Options of {@link client}. */
export interface ClientOptions {
  /** Header fields sent with every request; those of a request win. */
  headers?: Readonly<Record<string, string>> | undefined;
  /**
   * Whether redirects are followed, keeping cookies on the way.
   * @default false
   */
  followRedirects?: boolean | undefined;
}

/** What one request may carry. */
export interface ClientRequest {
  headers?: Readonly<Record<string, string>> | undefined;
  /** Sent as JSON, with its `Content-Type`. */
  json?: unknown;
  /** Sent as it is. Not together with `json`. */
  body?: string | Uint8Array<ArrayBuffer> | URLSearchParams | FormData | Blob | undefined;
  signal?: AbortSignal | undefined;
  /** Overrules the client's own. */
  followRedirects?: boolean | undefined;
}

/** Makes requests to one server and keeps the cookies it gets, as a browser does. */
export interface Client {
  readonly url: string;
  /** tough-cookie's jar, to look into or to change. */
  readonly cookies: CookieJar;
  readonly get: (path: string, request?: ClientRequest) => Promise<Response>;
  readonly post: (path: string, request?: ClientRequest) => Promise<Response>;
  readonly put: (path: string, request?: ClientRequest) => Promise<Response>;
  readonly patch: (path: string, request?: ClientRequest) => Promise<Response>;
  readonly delete: (path: string, request?: ClientRequest) => Promise<Response>;
  /** @param path a path on the server, or a whole URL */
  readonly request: (method: string, path: string, request?: ClientRequest) => Promise<Response>;
}

/** As many as fetch itself follows (https://fetch.spec.whatwg.org/#http-redirect-fetch). */
const MAX_REDIRECTS = 20;

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * A client that keeps cookies between its requests. Two clients are two visitors.
 *
 * @param url where the server is, such as what `listen` returned
 * @throws {TypeError} when `url` is not an http(s) URL
 *
 * @example
 * const visitor = client(await listen(app));
 * await visitor.post('/login', { json: { email, password } });
 * const me = await visitor.get('/me');
 */
export function client(url: string, options: ClientOptions = {}): Client {
  const base = requireHttpUrl(url);
  const { headers = {}, followRedirects = false } = options;
  const cookies = new CookieJar();

  const send = async (method: string, path: string, request: ClientRequest = {}): Promise<Response> => {
    let hop = firstHop(new URL(path, base), method, headers, request);
    for (let redirects = 0; ; redirects++) {
      const response = await exchange(hop, cookies, request.signal);
      const location = response.headers.get('location');
      const follow = request.followRedirects ?? followRedirects;
      if (!follow || location === null || !REDIRECTS.has(response.status)) return response;

      if (redirects === MAX_REDIRECTS)
        throw new Error(`${method} ${path}: more than ${MAX_REDIRECTS} redirects`);
      await response.body?.cancel();
      hop = nextHop(hop, response.status, new URL(location, hop.url));
    }
  };

  return clientFrom({ url, cookies, request: send });
}

/** A client with the usual methods, all of them sent by `request`. */
export function clientFrom({ url, cookies, request }: Pick<Client, 'url' | 'cookies' | 'request'>): Client {
  return {
    url,
    cookies,
    get: (path, options) => request('GET', path, options),
    post: (path, options) => request('POST', path, options),
    put: (path, options) => request('PUT', path, options),
    patch: (path, options) => request('PATCH', path, options),
    delete: (path, options) => request('DELETE', path, options),
    request,
  };
}

interface Hop {
  url: URL;
  method: string;
  headers: Headers;
  body: Exclude<ClientRequest['body'], undefined> | null;
}

function firstHop(
  url: URL,
  method: string,
  common: Readonly<Record<string, string>>,
  request: ClientRequest,
): Hop {
  const headers = new Headers(common);
  for (const [name, value] of Object.entries(request.headers ?? {})) headers.set(name, value);

  if (request.json === undefined) return { url, method, headers, body: request.body ?? null };
  if (request.body !== undefined) throw new TypeError('client: give either "json" or "body", not both');
  if (!headers.has('content-type')) headers.set('content-type', 'application/json');
  return { url, method, headers, body: JSON.stringify(request.json) };
}

async function exchange(hop: Hop, cookies: CookieJar, signal: AbortSignal | undefined): Promise<Response> {
  const headers = new Headers(hop.headers);
  const kept = await cookies.getCookieString(hop.url.href);
  if (kept !== '') {
    const own = headers.get('cookie');
    headers.set('cookie', own === null ? kept : `${own}; ${kept}`);
  }

  const response = await fetch(hop.url, {
    method: hop.method,
    headers,
    body: hop.body,
    redirect: 'manual',
    signal: signal ?? null,
  });
  for (const cookie of response.headers.getSetCookie()) {
    // A cookie that a browser would refuse is refused without a word, as there.
    await cookies.setCookie(cookie, hop.url.href, { ignoreError: true });
  }
  return response;
}

/** https://fetch.spec.whatwg.org/#http-redirect-fetch, steps 12 to 14. */
function nextHop(hop: Hop, status: number, url: URL): Hop {
  const headers = new Headers(hop.headers);
  if (url.origin !== hop.url.origin) {
    for (const name of ['authorization', 'cookie', 'host', 'proxy-authorization']) headers.delete(name);
  }

  const becomesGet =
    ((status === 301 || status === 302) && hop.method === 'POST') ||
    (status === 303 && hop.method !== 'GET' && hop.method !== 'HEAD');
  if (!becomesGet) return { ...hop, url, headers };

  for (const name of ['content-encoding', 'content-language', 'content-location', 'content-type']) {
    headers.delete(name);
  }
  return { url, method: 'GET', headers, body: null };
}

function requireHttpUrl(url: string): URL {
  const parsed = parsedUrl(url);
  if (parsed?.protocol === 'http:' || parsed?.protocol === 'https:') return parsed;
  throw new TypeError(`client: "url" must be an http(s) URL, got ${url}`);
}
