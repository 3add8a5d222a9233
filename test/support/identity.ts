import { randomUUID } from 'node:crypto';

/** Fields of a request that say who sends it. */
export type Credentials = Record<string, string>;

export interface SignedIn {
  readonly id: string;
  readonly email: string;
  readonly password: string;
  readonly accessToken: string;
  readonly refreshToken: string;
  /** The session's cookie, as a request sends it. */
  readonly cookie: string;
  /** `{ authorization }`. */
  readonly bearer: Credentials;
  /** The cookie, with what a browser says of a request that its own page makes. */
  readonly browser: Credentials;
}

/** What makes the orchestrator create an admin account at its start. */
export const ADMIN_SETTINGS = {
  ADMIN_EMAIL: 'admin@example.org',
  ADMIN_PASSWORD: 'Seven-wooden-signals-at-night',
};

/** Sends JSON, as any client would. */
export function postJson(url: string, body: unknown, headers: Credentials = {}): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
}

/** A guest's token, for tests that are not about who asks. */
export async function guestOf(url: string): Promise<Credentials> {
  return (await signedIn(await fetch(`${url}/auth/guest`, { method: 'POST' }), '', '')).bearer;
}

/** Makes an account, and signs in to it. */
export async function accountOf(url: string): Promise<SignedIn> {
  const email = `${randomUUID()}@example.org`;
  const password = `${randomUUID()} is long`;
  const registered = await postJson(`${url}/auth/register`, { email, password });
  if (registered.status !== 201) throw new Error(`Registering answers ${await registered.text()}`);
  return signInOf(url, { email, password });
}

/** Signs in to an account that there is. */
export async function signInOf(
  url: string,
  { email, password }: { email: string; password: string },
): Promise<SignedIn> {
  return signedIn(await postJson(`${url}/auth/login`, { email, password }), email, password);
}

/** Signs in as the admin of {@link ADMIN_SETTINGS}. */
export function adminOf(url: string): Promise<SignedIn> {
  return signInOf(url, { email: ADMIN_SETTINGS.ADMIN_EMAIL, password: ADMIN_SETTINGS.ADMIN_PASSWORD });
}

async function signedIn(response: Response, email: string, password: string): Promise<SignedIn> {
  if (response.status !== 200) throw new Error(`Signing in answers ${await response.text()}`);
  const { user, accessToken, refreshToken } = (await response.json()) as {
    user: { id: string };
    accessToken: string;
    refreshToken: string;
  };
  const cookie = response.headers
    .getSetCookie()
    .map((field) => field.split(';')[0] ?? '')
    .join('; ');
  return {
    id: user.id,
    email,
    password,
    accessToken,
    refreshToken,
    cookie,
    bearer: { authorization: `Bearer ${accessToken}` },
    browser: { cookie, 'sec-fetch-site': 'same-origin' },
  };
}
