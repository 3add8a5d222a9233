import { errorHandler } from '@signalbox/errors';
import { listen } from '@signalbox/testing';
import express from 'express';
import { anything, assert, constantFrom, array as listOf, jsonValue, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { screening } from '../src/screening.js';
import { inspect } from '../src/screening/inspect.js';
import { judgeBody } from '../src/screening/judge-body.js';
import { KINDS } from '../src/screening/kinds.js';
import { resolveOptions, type ScreeningOptions } from '../src/screening/options.js';

const RUNS = { numRuns: 300, interruptAfterTimeLimit: 4_000 };

/** What attacks are made of, and what confuses those who read them. */
const pieces = constantFrom(
  ..."' \" ` ; -- # /* */ /*! ( ) < > = or and union select null 1 0x41 '1'='1 <script > onerror= javascript: %27 %2527 %u0027 %c0%ae %zz % &#x27 &lt; &amp \\u003c \\x3c ../ ..\\ ..; \0 \r\n ${ {{ $( || && | __proto__ constructor [ ] \uFF1C \uD800 \u560A 嘊嘍 a_b @@version sleep( 9e9 . , : / \\".split(
    ' ',
  ),
  ' ',
  '\n',
);
const hostile = listOf(pieces, { maxLength: 60 }).map((parts) => parts.join(''));
const kinds = constantFrom(...KINDS);

async function rulesOf(
  init: RequestInit,
  path = '/',
  options: Partial<ScreeningOptions> = {},
): Promise<string[] | number> {
  const app = express();
  app.use(express.json({ limit: '20mb' }), express.raw(), screening({ mode: 'enforce', ...options }));
  app.use((_req, res) => void res.sendStatus(204));
  app.use(errorHandler());
  const response = await fetch((await listen(app)) + path, init);
  if (response.status === 204) return 204;
  return ((await response.json()) as { error: { details: { rules: string[] } } }).error.details.rules;
}

const post = (body: string | Uint8Array<ArrayBuffer>, type = 'application/json'): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': type },
  body,
});

/** The processor time of the fastest of ten runs, in microseconds: fewer once one was fast enough. */
function cost(run: () => void, enough: number): number {
  let best = Infinity;
  for (let round = 0; round < 10 && best > enough; round++) {
    const before = process.cpuUsage();
    run();
    best = Math.min(best, process.cpuUsage(before).user);
  }
  return best;
}

describe('screening, in front of hostile input', () => {
  it('never throws, whatever the text', () => {
    assert(
      property(
        string({ unit: 'binary', maxLength: 200 }),
        kinds,
        (text, kind) => inspect(text, { kind }).score >= 0,
      ),
      RUNS,
    );
    assert(
      property(hostile, kinds, (text, kind) => inspect(text, { kind, multiline: true }).score >= 0),
      RUNS,
    );
  });

  it('says the same of a text every time, whatever came between', () => {
    assert(
      property(hostile, hostile, (text, other) => {
        const first = inspect(text);
        inspect(other);
        expect(inspect(text)).toEqual(first);
      }),
      RUNS,
    );
  });

  it('refuses as strict whatever it refuses as text, and as text whatever it refuses as search', () => {
    assert(
      property(hostile, (text) => {
        const refused = (kind: 'strict' | 'text' | 'search'): boolean => inspect(text, { kind }).refused;
        if (refused('search')) expect(refused('text')).toBe(true);
        if (refused('text')) expect(refused('strict')).toBe(true);
      }),
      RUNS,
    );
  });

  it.each(["1' or '1'='1", '<script>alert(1)</script>', '../../../../etc/passwd', "'; drop table users; --"])(
    'finds %s wherever it stands in a long text',
    (attack) => {
      for (const before of [0, 900, 8_000, 8_150, 8_191, 16_000, 60_000]) {
        const text = `${'some words. '.repeat(Math.ceil(before / 12)).slice(0, before)}\n${attack}${' more words'.repeat(500)}`;
        expect([before, inspect(text, { multiline: true }).refused]).toEqual([before, true]);
      }
    },
  );

  it.each(['@@versionjavascript:__proto__', 'javascript:__proto__', '__proto__@@version'])(
    'looks at %s, which is letters and what links them, in a field as it does alone',
    (text) => {
      const { limits, body: given } = resolveOptions({ mode: 'enforce' });
      if (given === undefined) throw new Error('bodies are judged by default');
      const alone = inspect(text, { multiline: true }).refused;
      expect(judgeBody({ field: text }, given, limits) !== undefined).toBe(alone);
    },
  );

  it('finds in one of many fields what it finds in one alone, and never changes a body', () => {
    const { limits, body: given } = resolveOptions({ mode: 'enforce' });
    if (given === undefined) throw new Error('bodies are judged by default');
    assert(
      property(listOf(hostile, { minLength: 1, maxLength: 6 }), (texts) => {
        const body = { list: texts, named: Object.fromEntries(texts.map((text, i) => [`f${i}`, text])) };
        const copy = structuredClone(body);
        const alone = texts.some((text) => inspect(text, { multiline: true }).refused);
        expect(judgeBody(body, given, limits) !== undefined).toBe(alone);
        expect(body).toEqual(copy);
      }),
      RUNS,
    );
    assert(
      property(jsonValue({ maxDepth: 6 }), (body) => void judgeBody(body, given, limits)),
      RUNS,
    );
    assert(
      property(anything(), (body) => void judgeBody(body, given, limits)),
      RUNS,
    );
  });

  it.each([
    "'",
    '"',
    '<',
    '<script',
    '<a on',
    '<!',
    '../',
    '..',
    './',
    '.\\',
    "' or 1",
    "' or '",
    'or 1=',
    'union ',
    'union select ',
    '%25',
    '%',
    '%c0',
    '&#',
    '&lt;',
    '\\u003',
    '{{',
    '${',
    '#{',
    '$(',
    '`',
    'on=',
    'onx=',
    'javascript:',
    'data:',
    'j\t',
    'select(',
    '(select ',
    '--',
    '/*',
    '/**/',
    '/*!',
    '0x2e',
    'document.',
    'string.',
    'alert(',
    ';',
    '; id',
    '|',
    '&&',
    '\r\n',
    '\n',
    '\t',
    'a',
    'a_',
    '_',
    '1',
    '1e',
    '1.',
    '(',
    ')',
    '((',
    '\0',
    '\uFF1C',
    '嘊',
    '@@',
    '=',
    "'='",
    '(php',
    '\\n',
    'style=',
    'src=',
    'etc/',
    '2f',
    '__',
    'system(',
    'etc/..',
    '%2e',
  ])('takes time in proportion to the length of %j repeated', (unit) => {
    const text = (length: number): string => unit.repeat(Math.ceil(length / unit.length)).slice(0, length);
    const [short, long] = [text(10_000), text(80_000)];
    inspect(short, { multiline: true });
    const few = Math.max(
      2_000,
      cost(() => inspect(short, { multiline: true }), 2_000),
    );
    // Eight times the text: quadratic time would take 64 times as long.
    const limit = few * 24;
    const many = cost(() => inspect(long, { multiline: true }), limit);
    expect(many).toBeLessThanOrEqual(limit);
  });

  it('refuses a body nested 10,000 deep, and one with 100,000 keys', async () => {
    const deep = `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`;
    expect(await rulesOf(post(deep))).toEqual(['limit.depth']);
    expect(await rulesOf(post(`${'['.repeat(10_000)}${']'.repeat(10_000)}`))).toEqual(['limit.depth']);

    const wide = JSON.stringify(Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`k${i}`, i])));
    expect(await rulesOf(post(wide))).toEqual(['limit.keys']);
  });

  it.each([
    ['{"__proto__":{"admin":true}}', 'pollution.name'],
    ['{"a":[{"b":{"__proto__":null}}]}', 'pollution.name'],
    ['{"constructor":{"prototype":{"admin":true}}}', 'pollution.name'],
    ['{"$where":"sleep(1000)"}', 'nosql.operator'],
    ['{"a<script>alert(1)</script>":1}', 'xss.script'],
  ])('refuses the names in %s', async (body, rule) => {
    expect(await rulesOf(post(body))).toContain(rule);
  });

  it('minds no field named constructor, nor prices with a dollar', async () => {
    expect(await rulesOf(post('{"constructor":"Ferrari","prototype":1,"$ref":"#/a","price":"$5"}'))).toBe(
      204,
    );
  });

  it.each([
    ['/?__proto__[a]=1', 'pollution.name'],
    ['/?__proto__.a=1', 'pollution.name'],
    ['/?a[__proto__][b]=1', 'pollution.name'],
    ['/?a%5B__proto__%5D=1', 'pollution.name'],
    ['/?constructor[prototype][a]=1', 'pollution.name'],
    ['/?constructor.prototype.a=1', 'pollution.name'],
    ['/?user[$ne]=1', 'nosql.operator'],
    ['/?a%5B%24gt%5D=', 'nosql.operator'],
    [`/?a${'[b]'.repeat(40)}=1`, 'limit.depth'],
    [`/?${Array.from({ length: 101 }, (_, i) => `p${i}`).join('&')}`, 'limit.keys'],
    ["/?x'%20or%20'1'%3D'1=1", 'sql.tautology'],
  ])('refuses the names in %s', async (path, rule) => {
    expect(await rulesOf({}, path)).toContain(rule);
  });

  it('refuses more text than it was told to read', async () => {
    expect(
      await rulesOf(post(JSON.stringify(['x'.repeat(60), 'y'.repeat(60)])), '/', {
        limits: { maxLength: 100 },
      }),
    ).toEqual(['limit.size']);
    expect(await rulesOf({}, `/?q=${'x'.repeat(200)}`, { limits: { maxLength: 100 } })).toEqual([
      'limit.size',
    ]);
  });

  it('passes over what is no text: buffers, numbers, nothing', async () => {
    expect(await rulesOf(post(new TextEncoder().encode("1' or '1'='1"), 'application/octet-stream'))).toBe(
      204,
    );
    expect(await rulesOf(post('[1,null,true,-0.5e3]'))).toBe(204);
  });

  it('reads malformed escapes, stray signs and half characters as they are', async () => {
    expect(await rulesOf({}, '/?q=%&r=%zz&s=100%25&=&==&t=%E0%A4&u=%uD83D')).toBe(204);
  });

  it.each([[42], [null], [{}]])('refuses to inspect %s', (text) => {
    expect(() => inspect(text as unknown as string)).toThrow('inspect: "text" must be a string');
  });

  it('refuses an unknown kind', () => {
    expect(() => inspect('a', { kind: 'prose' as 'text' })).toThrow(
      'inspect: "kind" must be one of search, text, html, code, strict, got "prose"',
    );
  });
});
