import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accountOf, type SignedIn } from '../support/identity.js';
import { startOrchestrator, type RunningOrchestrator } from '../support/orchestrator.js';

const REQUESTS = process.env['SIGNALBOX_FULL'] === '1' ? 100_000 : 10_000;
const AT_ONCE = 32;
const ANSWERED_WITHIN_MS = 10_000;

let running: RunningOrchestrator;
let account: SignedIn;

beforeAll(async () => {
  running = await startOrchestrator({
    RATE_LOGIN: '1000000/m',
    RATE_API: '1000000/s burst 1000000',
    RATE_SEARCH: '1000000/s burst 1000000',
  });
  account = await accountOf(running.url);
});
afterAll(() => running.program.stop());

const ROUTES: readonly (readonly [method: string, path: string])[] = [
  ['POST', '/auth/register'],
  ['POST', '/auth/login'],
  ['POST', '/auth/guest'],
  ['POST', '/auth/refresh'],
  ['GET', '/auth/session'],
  ['GET', '/auth/csrf'],
  ['POST', '/auth/password/forgot'],
  ['POST', '/auth/password/reset'],
  ['POST', '/auth/password/change'],
  ['GET', '/auth/sessions'],
  ['DELETE', '/auth/sessions/:id'],
  ['GET', '/auth/keys'],
  ['POST', '/auth/keys'],
  ['DELETE', '/auth/keys/:id'],
  ['GET', '/auth/second-factor'],
  ['POST', '/auth/second-factor/confirm'],
  ['DELETE', '/auth/second-factor'],
  ['GET', '/api/v1/me'],
  ['GET', '/api/v1/search'],
  ['GET', '/api/v1/history'],
  ['PUT', '/api/v1/history'],
  ['GET', '/admin/overview'],
  ['POST', '/admin/users/:id/signout'],
  ['GET', '/.well-known/jwks.json'],
  ['GET', '/openapi.json'],
];

/** What somebody sends who means harm, and what somebody sends who has made a mistake. */
const nasty = fc.oneof(
  fc.constantFrom(
    '',
    ' ',
    '\0',
    '%00',
    '../../etc/passwd',
    "' or 1=1 --",
    '<script>alert(1)</script>',
    '__proto__',
    'constructor',
    'null',
    'undefined',
    '{}',
    '[]',
    'j:{}',
    '\ud800',
    '🦊'.repeat(50),
    'a@example.org',
    'x'.repeat(3_000),
  ),
  fc.string({ unit: 'binary', maxLength: 60 }),
);
const anything = fc.oneof(
  nasty,
  fc.constantFrom(null, true, false, 0, -1, 1e308, 2 ** 53, [], {}, [null], { $ne: 1 }),
  fc.jsonValue({ maxDepth: 4 }),
);
const FIELDS = [
  'email',
  'password',
  'newPassword',
  'code',
  'refreshToken',
  'token',
  'name',
  'scopes',
  'expiresInDays',
  'keep',
  '__proto__',
  'constructor',
];
const body = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .dictionary(fc.constantFrom(...FIELDS), anything, { maxKeys: 5 })
      .map((fields) => JSON.stringify(fields)),
  },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 5 }).map((value) => JSON.stringify(value)) },
  { weight: 1, arbitrary: nasty },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '{',
      '{"email":',
      '[[[[[[',
      '{"a":1,"a":2}',
      '"x"',
      `{"__proto__":{"admin":true}}`,
    ),
  },
);
/** Node refuses to send other bytes in a field. */
const field = nasty.map((text) => text.replace(/[^\t\x20-\x7e\x80-\xff]/g, ''));

interface Attempt {
  method: string;
  path: string;
  query: [string, string][];
  body: string;
  type: string;
  headers: Record<string, string>;
  who: 'nobody' | 'token' | 'session' | 'both';
}

const attempt: fc.Arbitrary<Attempt> = fc
  .record({
    method: fc.constant(''),
    path: fc.constant(''),
    query: fc.array(
      fc.tuple(fc.constantFrom('q', 'limit', 'before', 'page', 'per_page', 'access_token'), nasty),
      { maxLength: 3 },
    ),
    body,
    type: fc.constantFrom(
      'application/json',
      'application/json; charset=koi8-r',
      'text/plain',
      'application/x-www-form-urlencoded',
      'nonsense',
    ),
    headers: fc.dictionary(
      fc.constantFrom(
        'authorization',
        'cookie',
        'x-api-key',
        'x-csrf-token',
        'idempotency-key',
        'origin',
        'accept',
        'x-request-id',
        'traceparent',
        'if-none-match',
      ),
      fc.oneof(
        field,
        field.map((text) => `Bearer ${text}`),
        field.map((text) => `sid=${text}`),
        field.map((text) => `Bearer sbx_${text}`),
      ),
      { maxKeys: 3 },
    ),
    who: fc.constantFrom('nobody', 'token', 'session', 'both'),
  })
  .chain((rest) =>
    fc.tuple(fc.constantFrom(...ROUTES), nasty).map(([[method, path], id]) => ({
      ...rest,
      method,
      path: path.replace(':id', encodeURIComponent(wellFormed(id))),
    })),
  );

/** Half a surrogate pair cannot be written in a URL. */
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\uFFFD');
}

async function send(one: Attempt): Promise<number> {
  const query = new URLSearchParams(
    one.query.map(([name, value]): [string, string] => [name, wellFormed(value)]),
  );
  // Who becomes a guest has ended the sign-in from before, with its tokens.
  const who = one.path === '/auth/guest' ? 'nobody' : one.who;
  const own = {
    ...(who === 'token' || who === 'both' ? account.bearer : {}),
    ...(who === 'session' || who === 'both' ? account.browser : {}),
  };
  const hasBody = one.method !== 'GET' && one.method !== 'HEAD';
  const response = await fetch(`${running.url}${one.path}?${query.toString()}`, {
    method: one.method,
    headers: { ...own, ...one.headers, ...(hasBody ? { 'content-type': one.type } : {}) },
    signal: AbortSignal.timeout(ANSWERED_WITHIN_MS),
    ...(hasBody ? { body: one.body } : {}),
  });
  await response.arrayBuffer();
  return response.status;
}

describe('whatever is sent to whichever endpoint', () => {
  it(`is answered, and never with a 5xx (${REQUESTS} requests)`, async () => {
    const seen = new Map<number, number>();
    await fc.assert(
      fc.asyncProperty(fc.array(attempt, { minLength: AT_ONCE, maxLength: AT_ONCE }), async (attempts) => {
        const statuses = await Promise.all(attempts.map(send));
        for (const [index, status] of statuses.entries()) {
          seen.set(status, (seen.get(status) ?? 0) + 1);
          if (status >= 500) throw new Error(`${status}: ${JSON.stringify(attempts[index])}`);
        }
      }),
      { numRuns: Math.ceil(REQUESTS / AT_ONCE), endOnFailure: true },
    );
    // It reached more than the door.
    for (const status of [200, 400, 401, 403, 404, 415, 422])
      expect([status, seen.has(status)]).toEqual([status, true]);
    expect(running.program.output()).not.toMatch(/unhandled|uncaught/i);
    expect((await fetch(`${running.url}/api/v1/me`, { headers: account.bearer })).status).toBe(200);
  }, 300_000);
});
