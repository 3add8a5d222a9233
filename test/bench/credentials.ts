import { isDeepStrictEqual } from 'node:util';
import type { RunningContender } from './contenders.js';
import { EMAIL, LOGIN_AT, ROLES, SUBJECT } from './servers/identity.js';

/** What a request carries that says who sends it. */
export type Credentials = Readonly<Record<string, string>>;

const ANSWER = { user: { id: SUBJECT, email: EMAIL, roles: ROLES }, session: { loginAt: LOGIN_AT } };

const CONNECTED_WITHIN_MS = 5_000;

/** A server that listens may not have its connection to Redis yet. */
async function signIn({ url }: RunningContender): Promise<Response> {
  const until = performance.now() + CONNECTED_WITHIN_MS;
  for (;;) {
    const response = await fetch(`${url}/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: EMAIL, password: 'any' }),
    });
    if (response.ok || performance.now() > until) return response;
    await response.arrayBuffer();
  }
}

/** Signs in, and makes sure that the server does what it is measured for: a server that does less is faster. */
export async function credentialsOf(server: RunningContender): Promise<Credentials> {
  const login = await signIn(server);
  const { accessToken } = (await login.json()) as { accessToken?: string };
  const cookie = login.headers.getSetCookie()[0]?.split(';')[0];
  if (!login.ok || accessToken === undefined || cookie === undefined) {
    throw new Error(`${server.name}: POST /login answers ${login.status} without a token and a cookie`);
  }

  const headers = { authorization: `Bearer ${accessToken}`, cookie };
  const me = (credentials: Credentials): Promise<Response> =>
    fetch(`${server.url}/api/v1/me`, { headers: credentials });
  const answer: unknown = await (await me(headers)).json();
  if (!isDeepStrictEqual(answer, ANSWER)) {
    throw new Error(`${server.name}: /api/v1/me answers ${JSON.stringify(answer)}`);
  }
  const [head, payload] = accessToken.split('.');
  const forged = { cookie, authorization: `Bearer ${head}.${payload}.${'A'.repeat(43)}` };
  const { status } = await me(forged);
  if (status !== 401) throw new Error(`${server.name}: a forged token is answered with ${status}`);
  return headers;
}
