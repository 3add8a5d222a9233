import { errorHandler } from '@signalbox/errors';
import { signals } from '@signalbox/signals';
import { listen } from '@signalbox/testing';
import express, { type RequestHandler } from 'express';
import { describe, expect, it } from 'vitest';
import { heard } from '../../../test/support/heard.js';
import { send } from '../../../test/support/send.js';
import { screening, type Screening } from '../src/screening.js';
import type { ScreeningOptions } from '../src/screening/options.js';

/** An app that shows what reached it. */
async function start(options: Partial<ScreeningOptions> = {}): Promise<{ url: string; screen: Screening }> {
  const screen = screening({ mode: 'enforce', ...options });
  const show: RequestHandler = (req, res) => {
    res.json({ query: req.query, body: req.body as unknown, path: req.path });
  };
  const app = express();
  app.set('query parser', 'extended');
  app.use(express.json({ strict: false }), express.urlencoded(), express.text(), express.raw(), screen);
  app.get(
    '/users/:id',
    screening({ mode: options.mode ?? 'enforce', fields: { params: { id: 'strict' } } }),
    show,
  );
  app.all('/{*path}', show);
  app.use(errorHandler());
  return { url: await listen(app), screen };
}

const query = (q: string): string => `/?q=${encodeURIComponent(q)}`;
const json = (body: unknown): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: typeof body === 'string' ? body : JSON.stringify(body),
});

interface Envelope {
  error: { code: number; type: string; message: string; details: { rules: string[]; part: string } };
}

describe('screening', () => {
  it('refuses an attack with 400 "screened", naming the rules and the part but not the words', async () => {
    const { url } = await start();
    const response = await fetch(url + query("1' or '1'='1"));
    const { error } = (await response.json()) as Envelope;

    expect(response.status).toBe(400);
    expect(error).toMatchObject({
      code: 400,
      type: 'screened',
      message: 'The request was refused because of its content',
    });
    expect(error.details).toEqual({
      rules: expect.arrayContaining(['sql.tautology']) as unknown,
      part: 'query',
    });
    expect(JSON.stringify(error.details)).not.toContain('1=');
  });

  it.each([
    ['SQL injection', "x' union select null, password from users--", 'sql.union'],
    ['cross-site scripting', '<img src=x onerror=alert(1)>', 'xss.handler'],
    ['a way out of a folder', '../../../../etc/passwd', 'traversal.climb'],
    ['an injected header field', 'en\r\nSet-Cookie: a=b', 'header.field'],
    ['a null byte', 'report.php\0.png', 'null.byte'],
    ['a shell command', '127.0.0.1; cat /etc/passwd', 'command.chain'],
    ['a template expression', '{{7*7}}', 'template.expression'],
    ['a lookup', '${jndi:ldap://example.org/a}', 'template.lookup'],
    ['an attack that is encoded twice', encodeURIComponent("1' or '1'='1"), 'sql.tautology'],
    ['an attack in entities', '<a href="&#106;avascript:alert(1)">', 'xss.url'],
    ['an attack in full-width letters', '＜script＞alert(1)＜/script＞', 'xss.script'],
    ['an attack in overlong UTF-8', '%c0%ae%c0%ae/%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd', 'traversal.encoded'],
    ['an attack between comments', "1'/**/or/**/1=1/**/--", 'sql.tautology'],
  ])('finds %s in the query, in a body and in a parsed text', async (_, attack, rule) => {
    const { url } = await start();
    const asked = await Promise.all([
      fetch(url + query(attack)),
      rule === 'header.field' ? undefined : fetch(url, json({ a: [{ b: attack }] })),
      rule === 'header.field'
        ? undefined
        : fetch(url, { method: 'POST', headers: { 'content-type': 'text/plain' }, body: attack }),
    ]);
    for (const response of asked) {
      if (response === undefined) continue;
      expect(response.status).toBe(400);
      const { error } = (await response.json()) as Envelope;
      expect(error.type).toBe('screened');
      expect(error.details.rules).toContain(rule);
    }
  });

  it.each([
    'how to use <script> tag in html',
    'select * from users where name = "x"',
    "O'Brien and O'Neill",
    'what is __proto__ in javascript',
    'drop table if exists mysql',
    'union square select hotels',
    'x = 5 and y = 3 solve',
    'rock \'n\' roll "greatest hits" -live',
    'https://example.org/a?b=c&d=e#f',
    'someone@example.org',
    'C++ && || operators',
    'cd ../.. not working',
    'javascript: the good parts',
    'a < b && c > d',
    "TypeError: Cannot read properties of undefined (reading 'x')",
    'git commit -m "fix" && git push',
    'ls | grep foo',
    'regex [^"]* greedy',
    'preço de maçã; São Paulo',
    'что такое SQL-инъекция?',
    '日本語の検索（テスト）',
    '50% off & free shipping!!!',
  ])('lets people search for %s', async (text) => {
    const { url } = await start({ fields: { query: { q: 'search' } } });
    const response = await fetch(url + query(text));
    expect([response.status, ((await response.json()) as { query: unknown }).query]).toEqual([
      200,
      { q: text },
    ]);
  });

  it('lets pass in report, counts, and says what it would have refused, without what was sent', async () => {
    const { url, screen } = await start({ mode: 'report' });
    const findings = heard(signals.securityFinding);
    expect((await fetch(`${url}/secret-place${query("1' or '1'='1")}`)).status).toBe(200);
    expect((await fetch(`${url}/?q=harmless`)).status).toBe(200);

    await expect.poll(() => screen.report().samples[0]?.route).toBe('/{*path}');
    const report = screen.report();
    expect(report).toMatchObject({
      mode: 'report',
      requests: 2,
      refused: 0,
      wouldRefuse: 1,
      parts: { query: 1 },
      kinds: { text: 1 },
    });
    expect(report.rules['sql.tautology']).toBe(1);
    expect(report.samples[0]).toMatchObject({ method: 'GET', part: 'query', kind: 'text', refused: false });
    expect(JSON.stringify(report)).not.toMatch(/secret-place|1=1|or '/);
    expect(findings).toContainEqual({ kind: 'screened', rule: 'sql.tautology', enforced: false });
  });

  it('publishes each rule of a refusal as enforced', async () => {
    const { url, screen } = await start();
    const findings = heard(signals.securityFinding);
    await fetch(url + query('<script>alert(1)</script>'));
    expect(findings).toContainEqual({ kind: 'screened', rule: 'xss.script', enforced: true });
    expect(screen.report()).toMatchObject({ refused: 1, wouldRefuse: 0 });
  });

  it('looks at nothing when it is off', async () => {
    const { url, screen } = await start({ mode: 'off' });
    expect((await fetch(url + query("1' or '1'='1"))).status).toBe(200);
    expect(screen.report()).toMatchObject({ requests: 0, samples: [] });
  });

  it('keeps no more samples than it was told to', async () => {
    const { url, screen } = await start({ maxSamples: 2 });
    for (let i = 0; i < 4; i++) await fetch(url + query('../../../../etc/passwd'));
    expect(screen.report()).toMatchObject({ refused: 4 });
    expect(screen.report().samples).toHaveLength(2);
  });

  it('judges the path, encoded or not', async () => {
    const { url } = await start();
    for (const path of [
      '/../../../etc/passwd',
      '/..%2f..%2f..%2fetc%2fpasswd',
      '/a%00.png',
      '/%252e%252e/%252e%252e/%252e%252e/etc/passwd',
    ]) {
      expect([path, (await send(url, { path })).status]).toEqual([path, 400]);
    }
    expect((await send(url, { path: "/o'brien/select/%D0%BF%D1%83%D1%82%D1%8C" })).status).toBe(200);
  });

  it('takes each field for what it is said to be', async () => {
    const { url } = await start({
      fields: { query: { q: 'search', id: 'strict', source: 'code', raw: false, page: 'html', '*': 'text' } },
    });
    const status = async (path: string): Promise<number> => (await fetch(url + path)).status;
    const attack = encodeURIComponent("1' or '1'='1");

    expect(await status('/?id=a-b_c.1')).toBe(200);
    expect(await status(`/?id=${encodeURIComponent("O'Brien")}`)).toBe(400);
    expect(await status(`/?other=${encodeURIComponent("O'Brien")}`)).toBe(200);
    expect(await status(`/?source=${attack}`)).toBe(200);
    expect(await status('/?source=a%00b')).toBe(400);
    expect(await status(`/?raw=${attack}`)).toBe(200);
    expect(await status(`/?q=${attack}`)).toBe(400);
    expect(
      await status(
        `/?page=${encodeURIComponent('<p>Hello <b>world</b></p><iframe src="https://example.org/v"></iframe>')}`,
      ),
    ).toBe(200);
    expect(await status(`/?page=${encodeURIComponent('<p onclick="alert(1)">Hello</p>')}`)).toBe(400);
    expect(
      await status(`/?q=${encodeURIComponent('<script src="https://example.org/a.js"></script>')}`),
    ).toBe(200);
    expect(
      await status(`/?other=${encodeURIComponent('<script src="https://example.org/a.js"></script>')}`),
    ).toBe(400);
  });

  it('judges parameters of the route where it is mounted on one', async () => {
    const { url } = await start({ fields: { path: false } });
    expect((await fetch(`${url}/users/42`)).status).toBe(200);
    expect((await fetch(`${url}/users/4'2`)).status).toBe(400);
  });

  it('judges the headers and cookies that it is told to', async () => {
    const { url } = await start({
      fields: { headers: { 'User-Agent': 'text' }, cookies: { theme: 'strict', '*': false } },
    });
    const status = async (headers: Record<string, string>): Promise<number> =>
      (await send(url, { headers })).status;

    expect(
      await status({
        'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)',
      }),
    ).toBe(200);
    expect(await status({ 'user-agent': '() { :;}; /bin/cat /etc/passwd' })).toBe(400);
    expect(await status({ cookie: 'theme=dark; other=%27 or 1=1--' })).toBe(200);
    expect(await status({ cookie: 'other=a; theme=%3Cscript%3E' })).toBe(400);
    expect(await status({ cookie: ';;=;a;theme' })).toBe(200);
  });

  it('refuses a parameter that comes twice, unless it may', async () => {
    const strict = await start();
    const loose = await start({ repeatable: ['tag'] });
    const open = await start({ repeatable: true });
    const rules = async (response: Response): Promise<string[]> =>
      ((await response.json()) as Envelope).error.details.rules;

    expect(await rules(await fetch(`${strict.url}/?a=1&a=2`))).toEqual(['parameter.duplicate']);
    expect(await rules(await fetch(`${strict.url}/?a=1&%61=2`))).toEqual(['parameter.duplicate']);
    expect((await fetch(`${strict.url}/?a[]=1&a[]=2&b=3&&`)).status).toBe(200);
    expect((await fetch(`${loose.url}/?tag=1&tag=2`)).status).toBe(200);
    expect((await fetch(`${loose.url}/?a=1&a=2`)).status).toBe(400);
    expect((await fetch(`${open.url}/?a=1&a=2`)).status).toBe(200);
  });

  it('leaves everything as it was', async () => {
    const { url } = await start({ mode: 'report' });
    const body = { name: "  O'Brien <b>%41</b> ", list: [1, null, true, { deep: '＜' }] };
    const response = await fetch(`${url}/a%20b?x=%2541&y[z]=+1`, json(body));
    expect(await response.json()).toEqual({ query: { x: '%41', y: { z: ' 1' } }, body, path: '/a%20b' });
  });

  it.each<[string, unknown, string]>([
    ['mode', { mode: 'on' }, 'screening: "mode" must be "off" or "report" or "enforce", got "on"'],
    ['a missing mode', {}, 'screening: "mode" must be'],
    [
      'a misspelt option',
      { mode: 'off', field: {} },
      'screening: "field" is not an option; did you mean "fields"?',
    ],
    ['an unknown part', { mode: 'off', fields: { querry: 'text' } }, 'did you mean "query"?'],
    [
      'an unknown kind',
      { mode: 'off', fields: { query: 'prose' } },
      'screening: "fields.query" must be "search" or',
    ],
    [
      'a kind of a field',
      { mode: 'off', fields: { body: { a: true } } },
      'screening: "fields.body.a" must be',
    ],
    [
      'all headers',
      { mode: 'off', fields: { headers: { '*': 'text' } } },
      'screening: "fields.headers" must name its fields',
    ],
    ['fields', { mode: 'off', fields: [] }, 'screening: "fields" must be an object, got an array'],
    [
      'a limit',
      { mode: 'off', limits: { maxDepth: 0 } },
      'screening: "limits.maxDepth" must be an integer of at least 1, got 0',
    ],
    ['an unknown limit', { mode: 'off', limits: { depth: 3 } }, '"depth" is not an option'],
    [
      'repeatable',
      { mode: 'off', repeatable: 'tag' },
      'screening: "repeatable" must be a list of names, true or false, got "tag"',
    ],
    [
      'samples',
      { mode: 'off', maxSamples: -1 },
      'screening: "maxSamples" must be an integer of at least 0, got -1',
    ],
    ['no options', undefined, 'screening: "options" must be an object, got undefined'],
  ])('refuses %s at construction', (_, options, message) => {
    const make = (): unknown => screening(options as ScreeningOptions);
    expect(make).toThrow(TypeError);
    expect(make).toThrow(message);
  });
});
