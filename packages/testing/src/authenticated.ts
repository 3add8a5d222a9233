import { KeyObject } from 'node:crypto';
import { clientFrom, type Client, type ClientRequest } from './client.js';
import { completeClaims, signHs256, type CompleteClaims, type TokenClaims } from './json-web-token.js';
import { requireKnownOptions } from './known-options.js';

/** How {@link authenticated} comes by a token: exactly one of `secret`, `sign` and `issue`. */
export interface TokenSource {
  /** Signs the claims with HS256, as an app does that shares the secret. */
  secret?: string | Uint8Array | KeyObject | undefined;
  /** Signs the claims, to which `iat`, `exp` and `jti` are added: `(claims) => jwt.sign(claims, privateKey)`. */
  sign?: ((claims: CompleteClaims) => string | Promise<string>) | undefined;
  /** Has the app itself issue the token, by its own rules; gets the claims as they were given. */
  issue?: ((claims: TokenClaims) => string | Promise<string>) | undefined;
  /** With `secret`: more fields of the token's header, such as `kid` and `typ`. */
  header?: Readonly<Record<string, unknown>> | undefined;
  /**
   * What time it is, in milliseconds, for `iat`: a test clock's `now`.
   * @default Date.now
   */
  now?: (() => number) | undefined;
}

/**
 * A client that speaks for a signed-in user: every request to the client's own server carries
 * `Authorization: Bearer …` (RFC 6750 section 2.1), unless it has an `Authorization` of its own. Another origin never
 * gets the token.
 *
 * It is the same visitor as `client`, with the same cookies; `client` itself stays as it is. Two users are two clients.
 *
 * The token is made once: from a `secret` at once, by `sign` or `issue` at the first request, which fails if they do.
 *
 * @throws {TypeError} when the claims have no `sub`, or it is not clear where the token comes from
 *
 * @example
 * const ada = authenticated(client(url), { sub: 'ada', roles: ['admin'], scopes: ['search'] }, { secret });
 * expect((await ada.get('/admin')).status).toBe(200);
 *
 * @example
 * const ada = authenticated(client(url), { token: await signInAs('ada') });
 */
export function authenticated(client: Client, credentials: { token: string }): Client;
export function authenticated(client: Client, claims: TokenClaims, source: TokenSource): Client;
export function authenticated(
  client: Client,
  subject: { token: string } | TokenClaims,
  source?: TokenSource,
): Client {
  const token = source === undefined ? given(subject) : made(requireClaims(subject), source);
  const { origin } = new URL(client.url);

  const request = async (method: string, path: string, options: ClientRequest = {}): Promise<Response> => {
    if (new URL(path, client.url).origin !== origin) return client.request(method, path, options);
    const headers = { Authorization: `Bearer ${await token()}`, ...options.headers };
    return client.request(method, path, { ...options, headers });
  };
  return clientFrom({ url: client.url, cookies: client.cookies, request });
}

function given(subject: Readonly<Record<string, unknown>>): () => string {
  if (subject['token'] === undefined) {
    throw new TypeError(
      'authenticated: give either { token }, or claims and one of { secret }, { sign }, { issue }',
    );
  }
  const token = requireToken('token', subject['token']);
  return () => token;
}

function made(claims: TokenClaims, source: TokenSource): () => string | Promise<string> {
  requireKnownOptions('authenticated', source, ['secret', 'sign', 'issue', 'header', 'now']);
  const { secret, sign, issue, header = {}, now = Date.now } = source;
  if ([secret, sign, issue].filter((way) => way !== undefined).length !== 1) {
    throw new TypeError('authenticated: give exactly one of "secret", "sign" and "issue"');
  }

  if (secret !== undefined) {
    const token = signHs256(completeClaims(claims, now()), requireSecret(secret), header);
    return () => token;
  }
  if (sign !== undefined) {
    requireFunction('sign', sign);
    return once(async () => requireToken('sign', await sign(completeClaims(claims, now()))));
  }
  requireFunction('issue', issue);
  return once(async () => requireToken('issue', await issue(claims)));
}

function once(make: () => Promise<string>): () => Promise<string> {
  let token: Promise<string> | undefined;
  return () => (token ??= make());
}

/** https://www.rfc-editor.org/rfc/rfc6750#section-2.1: b64token. */
const B64_TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/;

function requireToken(from: 'token' | 'sign' | 'issue', token: unknown): string {
  if (typeof token === 'string' && B64_TOKEN.test(token)) return token;
  // A token is a secret: what came is described, not shown.
  const came = typeof token === 'string' ? 'a string that is none' : typeof token;
  const what = from === 'token' ? '"token" must be' : `"${from}" must return`;
  throw new TypeError(`authenticated: ${what} a bearer token, got ${came}`);
}

function requireClaims(claims: Readonly<Record<string, unknown>>): TokenClaims {
  const { sub } = claims;
  if (typeof sub === 'string' && sub !== '') return { ...claims, sub };
  throw new TypeError(`authenticated: "claims.sub" must be a string that is not empty, got ${String(sub)}`);
}

function requireSecret(secret: unknown): string | Uint8Array | KeyObject {
  if (secret instanceof KeyObject && secret.type === 'secret') return secret;
  if ((typeof secret === 'string' || secret instanceof Uint8Array) && secret.length > 0) return secret;
  throw new TypeError('authenticated: "secret" must be a string, bytes or a secret KeyObject, and not empty');
}

function requireFunction(name: string, way: unknown): asserts way is (claims: never) => unknown {
  if (typeof way === 'function') return;
  throw new TypeError(`authenticated: "${name}" must be a function, got ${String(way)}`);
}
