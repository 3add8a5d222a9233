import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLogger, type Logger } from '../src/index.js';
import { recorder, type Line } from './recorder.js';

const SECRET = 'hunter2hunter2';

/** What is written when `write` logs. */
function written(write: (logger: Logger) => void): { line: Line; text: string } {
  const destination = recorder();
  write(createLogger({ destination, level: 'trace' }));
  return { line: destination.lines[0] ?? {}, text: destination.text };
}

describe('redaction of keys', () => {
  it.each([
    'authorization',
    'Authorization',
    'proxy-authorization',
    'cookie',
    'set-cookie',
    'X-API-Key',
    'x-csrf-token',
    'password',
    'passwordConfirmation',
    'user_password',
    'PASSWD',
    'token',
    'accessToken',
    'refresh_token',
    'idToken',
    'clientSecret',
    'SECRET_KEYS',
    'apiKey',
    'api_key',
    'privateKey',
    'credentials',
    'sessionId',
  ])('hides %s, at the top and below', (key) => {
    const { line, text } = written((logger) => {
      logger.info({ [key]: SECRET, deep: { er: [{ [key]: { of: SECRET } }] } });
    });

    expect(text).not.toContain(SECRET);
    expect(line).toMatchObject({ [key]: '[Redacted]', deep: { er: [{ [key]: '[Redacted]' }] } });
  });

  it('shows what only tells of a secret', () => {
    const shown = {
      hasPassword: true,
      token: null,
      tokenType: 'Bearer',
      token_count: 7,
      totalTokens: 1532,
      passwordExpiresAt: '2030-01-01',
      author: 'Ada',
      tokenizer: null,
    };
    expect(written((logger) => logger.info(shown)).line).toMatchObject(shown);
  });

  it('hides the fields of children, and of theirs', () => {
    const { text } = written((logger) => {
      const child = logger.child({ session: { cookie: SECRET } }).child({ token: SECRET });
      child.setBindings({ apiKey: SECRET });
      child.info('hello');
    });
    expect(text).not.toContain(SECRET);
    expect(text).toContain('"token":"[Redacted]"');
  });

  it('hides what is formatted into a message', () => {
    const { text } = written((logger) =>
      logger.info('signed in %o with %j', { password: SECRET }, { token: SECRET }),
    );
    expect(text).not.toContain(SECRET);
    expect(text).toContain('signed in');
  });

  it('hides names and values that come as pairs, and raw header lists', () => {
    const headers = new Headers({ Authorization: `Bearer ${SECRET}`, Accept: '*/*' });
    const { line, text } = written((logger) => {
      logger.info({ entries: [...headers], rawHeaders: ['Cookie', SECRET] });
    });
    expect(text).not.toContain(SECRET);
    expect(line['entries']).toContainEqual(['accept', '*/*']);
  });

  it('hides further names and parameters by option', () => {
    const destination = recorder();
    const redact = { keys: ['ssn', 'Date-Of-Birth'], parameters: ['email'] };
    createLogger({ destination, redact }).info({
      person: { SSN: SECRET, dateOfBirth: SECRET },
      url: `/mail?email=${SECRET}&page=2`,
    });
    expect(destination.text).not.toContain(SECRET);
    expect(destination.text).toContain('/mail?email=[Redacted]&page=2');
  });

  it('does not write to what it is given', () => {
    const body = Object.freeze({ user: Object.freeze({ password: SECRET }) });
    written((logger) => logger.info({ body }));
    expect(body).toEqual({ user: { password: SECRET } });
  });
});

describe('redaction of text', () => {
  it.each([
    ['/search?q=hunter2hunter2&page=2', '/search?q=[Redacted]&page=2'],
    ["/search?page=2&q=it's;hunter2hunter2", '/search?page=2&q=[Redacted]'],
    ['/search?%71=hunter2hunter2', '/search?%71=[Redacted]'],
    ['https://example.org/cb?code=hunter2hunter2&state=x', 'https://example.org/cb?code=[Redacted]&state=x'],
    ['/dl?access_token=hunter2hunter2#top', '/dl?access_token=[Redacted]#top'],
    ['connect to redis://user:hunter2hunter2@cache:6379/0', 'connect to redis://[Redacted]@cache:6379/0'],
    ['postgres://:hunter2hunter2@db/app', 'postgres://[Redacted]@db/app'],
    ['GET http://up/search?q=hunter2hunter2 failed', 'GET http://up/search?q=[Redacted] failed'],
    ['sent Authorization: Bearer hunter2hunter2', 'sent Authorization: [Redacted]'],
    ['header bearer hunter2hunter2hunter2 was bad', 'header bearer [Redacted] was bad'],
    ['host=db password=hunter2hunter2 dbname=app', 'host=db password=[Redacted] dbname=app'],
    ['got {"password":"hunter2hunter2","a":"b"}', 'got {"password":"[Redacted]","a":"b"}'],
    ['got {"password": "hunter2hunter2', 'got {"password": "[Redacted]"'],
    ['jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl', 'jwt [Redacted]'],
  ])('%s', (text, safe) => {
    const { line } = written((logger) => logger.info({ text, list: [text] }, text));
    expect(line).toMatchObject({ text: safe, list: [safe], msg: safe });
  });

  it.each([
    'SELECT * FROM users WHERE id = 7',
    'mail ada@example.org about https://example.org/a?page=2#b',
    'The basic idea: a token bucket, key by key',
    '2 + 2 = 4; x=1',
    'https://example.org:8080/path',
    'what is a password?',
  ])('leaves alone: %s', (text) => {
    expect(written((logger) => logger.info({ text }, text)).line).toMatchObject({ text, msg: text });
  });

  it('hides the parameters of a parsed query', () => {
    const { line } = written((logger) => {
      logger.info({ query: { q: SECRET, code: SECRET, page: '2' }, params: { q: SECRET } });
    });
    expect(line).toMatchObject({
      query: { q: '[Redacted]', code: '[Redacted]', page: '2' },
      params: { q: '[Redacted]' },
    });
  });
});

describe('redaction of errors', () => {
  it('hides what an HTTP client hangs on its errors', () => {
    const error = Object.assign(new Error('Request failed with status code 500'), {
      name: 'AxiosError',
      code: 'ERR_BAD_RESPONSE',
      config: {
        url: `https://up/search?q=${SECRET}`,
        params: { q: SECRET },
        headers: { Authorization: `Bearer ${SECRET}`, Accept: '*/*' },
        auth: { username: 'me', password: SECRET },
        data: `q=${SECRET}`,
      },
      request: { _header: `GET / HTTP/1.1\r\nCookie: ${SECRET}` },
      response: { status: 500, data: { token: SECRET }, headers: { 'set-cookie': [SECRET] } },
    });
    const { line, text } = written((logger) => logger.error(error));

    expect(text).not.toContain(SECRET);
    expect(line['err']).toMatchObject({
      type: 'AxiosError',
      code: 'ERR_BAD_RESPONSE',
      config: { headers: { Authorization: '[Redacted]', Accept: '*/*' }, auth: { username: 'me' } },
      response: { status: 500 },
    });
  });

  it('tells causes and collected errors in full, without their secrets', () => {
    const reset = Object.assign(new Error(`connect redis://:${SECRET}@cache`), { code: 'ECONNRESET' });
    const error = new AggregateError(
      [new Error('first', { cause: reset }), Object.assign(new Error('second'), { token: SECRET })],
      'all upstreams failed',
      { cause: new TypeError('the cause', { cause: reset }) },
    );
    const { line, text } = written((logger) => logger.error({ err: error }, 'search failed'));

    expect(text).not.toContain(SECRET);
    expect(line).toMatchObject({
      msg: 'search failed',
      err: {
        type: 'AggregateError',
        message: 'all upstreams failed',
        cause: { type: 'TypeError', message: 'the cause', cause: { code: 'ECONNRESET' } },
        errors: [
          { message: 'first', cause: { code: 'ECONNRESET' } },
          { message: 'second', token: '[Redacted]' },
        ],
      },
    });
    expect(JSON.stringify(line['err'])).toContain('redaction.test.ts');
  });

  it('knows an error wherever it stands', () => {
    const { line } = written((logger) => logger.warn({ attempts: [{ reason: new RangeError('too far') }] }));
    expect(line['attempts']).toMatchObject([{ reason: { type: 'RangeError', message: 'too far' } }]);
  });

  it('lets no error print itself, as those of old HTTP clients do', () => {
    const headers = { Authorization: `Bearer ${SECRET}` };
    const error = Object.assign(new RangeError('too far'), { toJSON: () => ({ config: { headers } }) });
    const { line, text } = written((logger) => logger.error(error));

    expect(line).toMatchObject({ err: { type: 'RangeError', message: 'too far' } });
    expect(text).not.toContain(SECRET);
  });

  it('hides the failing row that Postgres quotes, and the arguments of a Redis command', () => {
    const row = Object.assign(new Error('null value in column'), {
      code: '23502',
      detail: `Failing row contains (1, ${SECRET}).`,
      routine: 'ExecConstraints',
    });
    const reply = Object.assign(new Error('NOAUTH'), { command: { name: 'auth', args: ['me', SECRET] } });
    const { line, text } = written((logger) => logger.error({ row, reply }));

    expect(text).not.toContain(SECRET);
    expect(line).toMatchObject({ row: { code: '23502' }, reply: { command: { name: 'auth' } } });
  });

  it('survives causes in a circle', () => {
    const error = new Error('chicken');
    error.cause = new Error('egg', { cause: error });
    expect(written((logger) => logger.error(error)).line['err']).toMatchObject({
      message: 'chicken',
      cause: { message: 'egg', cause: '[Circular]' },
    });
  });
});

describe('bounds', () => {
  it('survives cycles, getters and toJSON that throw, and proxies', () => {
    const hostile: Record<string, unknown> = {
      get broken(): never {
        throw new Error('no');
      },
      json: {
        toJSON() {
          throw new Error('no');
        },
      },
      proxy: new Proxy(
        {},
        {
          ownKeys() {
            throw new Error('no');
          },
        },
      ),
      ok: 1,
    };
    hostile['self'] = hostile;

    expect(written((logger) => logger.info({ hostile })).line['hostile']).toEqual({
      broken: '[Unreadable]',
      json: '[Unreadable]',
      proxy: '[Unreadable]',
      ok: 1,
      self: '[Circular]',
    });
  });

  it('prints dates, URLs, bytes and streams as what they are', () => {
    const { line } = written((logger) => {
      logger.info({
        at: new Date(0),
        url: new URL(`https://me:${SECRET}@example.org/?q=${SECRET}`),
        bytes: Buffer.from(SECRET),
        out: process.stderr,
      });
    });
    expect(line).toMatchObject({
      at: '1970-01-01T00:00:00.000Z',
      url: 'https://[Redacted]@example.org/?q=[Redacted]',
      bytes: '[Buffer of 14 bytes]',
    });
    expect(line['out']).toMatch(/^\[\w+\]$/);
  });

  it.each(['query', 'params', 'searchParams'])('holds for what stands under "%s", too', (name) => {
    const circle: Record<string, unknown> = {};
    circle[name] = circle;
    const { line, text } = written((logger) => {
      logger.info({ members: circle, [name]: { toJSON: () => ({ password: SECRET }) } });
    });

    expect(line).toMatchObject({ [name]: { password: '[Redacted]' } });
    expect(text.length).toBeLessThan(300);
    expect(text).not.toContain(SECRET);
  });

  it('cuts what is too deep, too long or too much', () => {
    let deep: object = { end: SECRET };
    for (let level = 0; level < 100; level++) deep = { deep };
    const { text } = written((logger) => {
      logger.info({ deep, long: 'x'.repeat(1_000_000), many: Array.from({ length: 100_000 }, (_, i) => i) });
    });
    expect(text.length).toBeLessThan(40_000);
    expect(text).not.toContain(SECRET);
  });

  it('takes linear time on text made to be slow', () => {
    const texts = ['://'.repeat(6_000), '?a='.repeat(6_000), '"a":'.repeat(5_000), 'cookie:'.repeat(3_000)];
    const startedAt = performance.now();
    for (const text of texts) written((logger) => logger.info({ text }));
    // Quadratic time would be many seconds; this is no measurement.
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });

  it('never shows a secret, whatever is around it', () => {
    const secretKey = fc.constantFrom('password', 'X-Api-Key', 'access_token', 'Cookie', 'clientSecret');
    const around = fc.anything({ maxDepth: 3, withBigInt: true, withDate: true, withNullPrototype: true });

    fc.assert(
      fc.property(
        secretKey,
        around,
        fc.array(fc.string({ minLength: 1 }), { maxLength: 5 }),
        (key, noise, path) => {
          let value: unknown = { [key]: SECRET, noise };
          for (const step of path) value = step.length % 2 === 0 ? [noise, value] : { noise, [step]: value };
          expect(written((logger) => logger.info({ value })).text).not.toContain(SECRET);
        },
      ),
    );
  });
});
