import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import {
  config,
  ConfigError,
  flag,
  list,
  port,
  profile,
  rate,
  secret,
  secrets,
  text,
  url,
} from '@signalbox/config';
import { problemsOf, write } from './support.js';

const STRONG = 'q8Zr2mVx5Yt0Lk7Wc3Nf9Hj4Pd6Bs1Gu';

describe('config', () => {
  it('takes arguments before the environment, that before files, and those before defaults', () => {
    const file = write('app.env', 'B=file\nC=file\nD=file\n');
    const field = z.string().default('default');

    const settings = config(z.object({ A: field, B: field, C: field, D: field, E: field }), {
      argv: ['--b', 'argv'],
      env: { B: 'env', C: 'env' },
      files: [file],
    });

    expect(settings).toEqual({ A: 'default', B: 'argv', C: 'env', D: 'file', E: 'default' });
  });

  it('takes a later file before an earlier one', () => {
    const files = [write('a.env', 'NAME=first\nPORT=1'), write('b.json', '{ "NAME": "second" }')];
    const settings = config(z.object({ NAME: z.string(), PORT: port() }), { env: {}, files });
    expect(settings).toEqual({ NAME: 'second', PORT: 1 });
  });

  it('reads the process environment where no other is given', () => {
    process.env['SIGNALBOX_TEST_ONLY'] = 'yes';
    try {
      expect(config(z.object({ SIGNALBOX_TEST_ONLY: z.string() })).SIGNALBOX_TEST_ONLY).toBe('yes');
    } finally {
      delete process.env['SIGNALBOX_TEST_ONLY'];
    }
  });

  it('infers the types of the schema, read-only', () => {
    const schema = z.object({ PORT: port(), RATE: rate(), NAMES: list(), NODE_ENV: profile() });
    const settings = config(schema, { env: { PORT: '1', RATE: '5/15m', NAMES: 'a,b' } });
    expectTypeOf(settings.PORT).toEqualTypeOf<number>();
    expectTypeOf(settings.NAMES).toEqualTypeOf<readonly string[]>();
    expectTypeOf(settings.RATE.limit).toEqualTypeOf<number>();
    expectTypeOf(settings.NODE_ENV).toEqualTypeOf<'development' | 'test' | 'production'>();
    expect(settings).toEqual({
      PORT: 1,
      RATE: { limit: 5, windowMs: 900_000 },
      NAMES: ['a', 'b'],
      NODE_ENV: 'development',
    });
  });

  it('freezes the settings to the bottom, and leaves the defaults of the schema alone', () => {
    const fallback = { inner: { list: [1] } };
    const schema = z.object({
      DEEP: z.object({ inner: z.object({ list: z.array(z.number()) }) }).default(fallback),
    });
    const settings = config(schema, { env: {} });

    expect(Object.isFrozen(settings)).toBe(true);
    expect(Object.isFrozen(settings.DEEP.inner.list)).toBe(true);
    expect(Object.isFrozen(fallback.inner)).toBe(false);
    expect(Object.isFrozen(fallback.inner.list)).toBe(false);
  });

  it('reports every problem at once, each with its variable, what is wanted, what came and from where', () => {
    const file = write('app.json', '{ "LOG_LEVEL": "inof", "PROT": 1 }');
    const schema = z.object({
      PORT: port(),
      LOG_LEVEL: z.enum(['debug', 'info']),
      WORKERS: z.number().int().min(1),
      PUBLIC_URL: url().describe('its own address'),
      SECRET_KEYS: secrets(),
    });
    const problems = problemsOf(schema, {
      env: { PORT: '70000', SECRET_KEYS: ' , ' },
      argv: ['--workers=0', '--log-lvel=x'],
      files: [file],
    });

    expect(problems).toEqual([
      '--log-lvel is not a setting; did you mean --log-level?',
      `PROT from ${file} is not a setting; did you mean PORT?`,
      'PORT must be a port from 0 to 65535; got "70000" from the environment',
      `LOG_LEVEL must be one of debug, info (did you mean info?); got "inof" from ${file}`,
      'WORKERS must be at least 1; got "0" from --workers',
      'PUBLIC_URL is not set (its own address): it must be a URL such as https://example.org',
      'SECRET_KEYS must be secrets of at least 32 bytes, newest first, with commas between them, none of them empty; got [redacted] from the environment',
    ]);
  });

  it('throws one ConfigError whose message holds all problems', () => {
    const attempt = (): unknown => config(z.object({ A: z.string(), B: z.string() }), { env: {} });
    expect(attempt).toThrow(ConfigError);
    expect(attempt).toThrow(
      '2 settings are wrong:\n  A is not set: it must be text\n  B is not set: it must be text',
    );
    expect(attempt).toThrow(expect.objectContaining({ name: 'ConfigError', code: 'invalid_config' }));
  });

  it.each(['8889abc', '', ' ', 'NaN', '1e3', '-1', '70000', '0x50', '1.5', '08080', ' 80', 'Infinity'])(
    'refuses %j as a port',
    (value) => {
      expect(problemsOf(z.object({ PORT: port().default(1) }), { env: { PORT: value } })).toHaveLength(1);
    },
  );

  it.each(['12abc', '', ' ', 'NaN', '1e3', '0x10', '1_000', '9007199254740993', '007', '1.', '.5', '+1'])(
    'refuses %j as a number, even where zod would coerce it',
    (value) => {
      const schema = z.object({ A: z.number().default(1), B: z.coerce.number().optional() });
      expect(problemsOf(schema, { env: { A: value, B: value } })).toHaveLength(2);
    },
  );

  it('reads numbers and booleans of plain zod schemas from text', () => {
    const schema = z.object({
      A: z.number().optional(),
      B: z.coerce.boolean(),
      C: z.boolean().default(true),
    });
    const settings = config(schema, { env: { A: '-1.5', B: 'false', C: 'off' } });
    expect(settings).toEqual({ A: -1.5, B: false, C: false });
  });

  it('reads what a literal, a union or an intersection is made of', () => {
    const [a, b] = [z.object({ a: z.string() }), z.object({ b: z.string() })];
    const schema = z.object({
      ONE: z.literal(5),
      SOME: z.literal([1, 2]).optional(),
      YES: z.literal(true),
      EITHER: z.union([a, z.array(z.string())]),
      BOTH: z.intersection(a, b),
    });
    const env = { ONE: '5', SOME: '2', YES: 'on', EITHER: '["x"]', BOTH: '{"a":"x","b":"y"}' };

    expect(config(schema, { env })).toEqual({
      ONE: 5,
      SOME: 2,
      YES: true,
      EITHER: ['x'],
      BOTH: { a: 'x', b: 'y' },
    });
    expect(problemsOf(schema, { env: { ...env, ONE: '6' } })).toEqual([
      'ONE must be 5; got "6" from the environment',
    ]);
  });

  it('reads JSON text where the schema wants an object or an array', () => {
    const schema = z.object({ LIMITS: z.record(z.string(), z.number()), IDS: z.array(z.number()) });
    const settings = config(schema, { env: { LIMITS: '{"a":1}', IDS: '[1,2]' } });
    expect(settings).toEqual({ LIMITS: { a: 1 }, IDS: [1, 2] });
    expect(problemsOf(schema, { env: { LIMITS: '{', IDS: '["x"]' } })).toEqual([
      'LIMITS must be JSON, an object; got "{" from the environment',
      'IDS.0 must be a number; got "[\\"x\\"]" from the environment',
    ]);
  });

  it('checks what the schema says of several settings together, once each of them is right', () => {
    const schema = z
      .object({ WORKERS: z.number(), REDIS_URL: url().optional() })
      .refine(({ WORKERS, REDIS_URL }) => WORKERS === 1 || REDIS_URL !== undefined, {
        message: 'more than one worker needs REDIS_URL',
        path: ['WORKERS'],
      });
    expect(problemsOf(schema, { env: { WORKERS: '4' } })).toEqual([
      'WORKERS more than one worker needs REDIS_URL; got "4" from the environment',
    ]);
    const nameless = z.object({ A: z.string() }).refine(() => false, 'Never enough');
    expect(problemsOf(nameless, { env: { A: 'x' } })).toEqual(['settings: Never enough']);
  });

  it("says a problem in the schema's own words where it has some", () => {
    const schema = z.object({ A: z.string().min(3, 'Too curt'), B: z.number('needs digits') });
    expect(problemsOf(schema, { env: { A: 'x' }, files: [write('a.json', '{"B":[]}')] })).toEqual([
      'A: Too curt; got "x" from the environment',
      expect.stringMatching(/^B needs digits; got \[\] from .*a\.json$/),
    ]);
  });

  it('keeps values on one line and short, so that no message can be forged', () => {
    const [message = ''] = problemsOf(z.object({ PORT: port() }), {
      env: { PORT: `1\n\u009b31m${'x'.repeat(500)}` },
    });
    expect(message).toMatch(
      /^PORT must be a port from 0 to 65535; got "1\\n\\u009b31mx+… from the environment$/,
    );
    expect(message.length).toBeLessThan(200);
  });

  it('shows no credentials of a wrong URL', () => {
    const schema = z.object({ REDIS_URL: url({ protocols: ['redis'] }) });
    for (const value of [
      'http://me:hunter2@host',
      'redis:/me:hun/ter2@host',
      'redis://me:hun@ter2@host:port',
    ]) {
      expect(problemsOf(schema, { env: { REDIS_URL: value } }).join()).not.toMatch(/hunter|hun|ter2/);
    }
  });
});

describe('NAME_FILE', () => {
  const schema = z.object({ TOKEN: secret({ minBytes: 8 }).optional(), PORT: port().default(1) });

  it('names a file that holds the value, without the line break at its end', () => {
    const settings = config(schema, {
      env: { TOKEN_FILE: write('token', 'a b c x y z 1 9\r\n') },
      argv: ['--port-file', write('port', '8080\n')],
      warn: () => undefined,
    });
    expect(settings).toEqual({ TOKEN: 'a b c x y z 1 9', PORT: 8080 });
  });

  it('may stand in a file of settings, and gives way to a stronger place', () => {
    const files = [write('app.env', `TOKEN_FILE=${write('token', STRONG)}\nPORT_FILE=/nowhere`)];
    expect(config(schema, { env: { PORT: '2' }, files })).toEqual({ TOKEN: STRONG, PORT: 2 });
  });

  it('is a problem beside the variable itself', () => {
    expect(
      problemsOf(schema, { env: { TOKEN: STRONG, TOKEN_FILE: '/x' }, argv: ['--port=1', '--port-file=/x'] }),
    ).toEqual([
      'TOKEN and TOKEN_FILE are both set: keep one',
      '--port and --port-file are both set: keep one',
    ]);
  });

  it('is a problem when the file is missing, too large, no file, or no text', () => {
    const large = write('large', 'x'.repeat(64 * 1024 + 1));
    const binary = write('binary', new Uint8Array([0xff, 0xfe, 0x00]));
    const message = (path: string): string[] => problemsOf(schema, { env: { TOKEN_FILE: path } });

    expect(message('/no/such/file')).toEqual(['TOKEN_FILE names /no/such/file, which does not exist']);
    expect(message(large)).toEqual([`TOKEN_FILE names ${large}, which is larger than 64 KiB`]);
    expect(message(dirname(large))).toEqual([
      `TOKEN_FILE names ${dirname(large)}, which is not a regular file`,
    ]);
    expect(message('/dev/zero')).toEqual(['TOKEN_FILE names /dev/zero, which is not a regular file']);
    expect(message(binary)).toEqual([`TOKEN_FILE names ${binary}, which is not UTF-8 text`]);
    expect(message('')).toEqual(['TOKEN_FILE must be the path of a file']);
  });

  it('does not show a secret that stands where its path belongs', () => {
    expect(problemsOf(schema, { env: { TOKEN_FILE: STRONG } })).toEqual([
      'TOKEN_FILE names a file, which does not exist',
    ]);
  });

  it('leaves a setting alone whose own name ends in _FILE', () => {
    const logs = z.object({ LOG: z.string().optional(), LOG_FILE: z.string().optional() });
    expect(config(logs, { env: { LOG_FILE: '/var/log/app.log' } })).toEqual({ LOG_FILE: '/var/log/app.log' });
  });
});

describe('files', () => {
  const schema = z.object({
    NAME: z.string().optional(),
    DEBUG: flag().default(false),
    PORT: port().default(1),
  });

  it('are read as JSON with its own types, or as lines of NAME=value', () => {
    const json = write('a.json', '\uFEFF{ "$schema": "x", "NAME": "n", "DEBUG": true, "PORT": 8080 }');
    expect(config(schema, { env: {}, files: [json] })).toEqual({ NAME: 'n', DEBUG: true, PORT: 8080 });

    const lines = write('.env', '# comment\nexport NAME="two words"\nDEBUG=on\nOTHER=ignored\n');
    expect(config(schema, { env: {}, files: [lines] })).toEqual({ NAME: 'two words', DEBUG: true, PORT: 1 });
  });

  it('may be missing only where they are optional', () => {
    const missing = join(dirname(write('x', '')), 'none.env');
    expect(config(schema, { env: {}, files: [{ path: missing, optional: true }] }).PORT).toBe(1);
    expect(problemsOf(schema, { files: [missing] })).toEqual([`${missing} does not exist`]);

    const folder = join(dirname(missing), 'folder.env');
    mkdirSync(folder);
    expect(problemsOf(schema, { files: [{ path: folder, optional: true }] })).toEqual([
      `${folder} is not a regular file`,
    ]);
  });

  it.each(['[]', 'null', '"x"', '{ "TOKEN": "hunter2', ''])(
    'refuse %j as JSON without quoting it',
    (content) => {
      const path = write('a.json', content);
      expect(problemsOf(schema, { files: [path] })).toEqual([`${path} must hold one JSON object`]);
    },
  );
});

describe('bad calls', () => {
  it('refuses a schema that is no zod object, or whose keys are no environment names', () => {
    // @ts-expect-error: a text is no schema
    expect(() => config('PORT')).toThrow('config: "schema" must be a zod object');
    // @ts-expect-error: nothing is no schema
    expect(() => config(undefined)).toThrow(TypeError);
    expect(() => config(z.object({ logLevel: z.string() }))).toThrow(
      'config: the schema\'s keys must be names of environment variables, such as LOG_LEVEL, got "logLevel"',
    );
  });

  it('refuses bad options, naming them', () => {
    const schema = z.object({});
    // @ts-expect-error: misspelt
    expect(() => config(schema, { arg: [] })).toThrow(
      'config: there is no option "arg"; did you mean "argv"?',
    );
    // @ts-expect-error: wrong type
    expect(() => config(schema, { argv: 'x' })).toThrow('config: "argv" must be a list of texts');
    // @ts-expect-error: wrong type
    expect(() => config(schema, { env: 'x' })).toThrow(
      'config: "env" must be an object of variables, got "x"',
    );
    // @ts-expect-error: wrong value
    expect(() => config(schema, { profile: 'prod' })).toThrow(
      'config: "profile" must be development, test or',
    );
    // @ts-expect-error: wrong type
    expect(() => config(schema, { files: '.env' })).toThrow('config: "files" must be a list of files');
    // @ts-expect-error: wrong type
    expect(() => config(schema, { files: [{ name: 'x' }] })).toThrow('config: "files" must be paths or');
    // @ts-expect-error: wrong type
    expect(() => config(schema, { warn: true })).toThrow('config: "warn" must be a function');
  });

  it('refuses blank text where text is wanted', () => {
    expect(problemsOf(z.object({ NAME: text() }), { env: { NAME: '  ' } })).toEqual([
      'NAME must be text that is not empty; got "  " from the environment',
    ]);
  });
});
