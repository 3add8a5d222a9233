import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  bytes,
  config,
  describeConfig,
  duration,
  flag,
  list,
  port,
  printConfig,
  profile,
  rate,
  secrets,
  settingsOf,
  url,
  type ConfigOptions,
} from '@signalbox/config';
import { write } from './support.js';

const SECRET = 'q8Zr2mVx5Yt0Lk7Wc3Nf9Hj4Pd6Bs1Gu';

const schema = z.object({
  NODE_ENV: profile(),
  PORT: port().default(8889).describe('where it listens'),
  SECRET_KEYS: secrets({ generate: true }),
  REDIS_URL: url({ protocols: ['redis'] }).optional(),
  SEARXNG_URLS: list().default([]),
  METRICS_TOKEN: z.string().optional(),
  HOOK: url().meta({ secret: true }).optional(),
  KEYBOARD: z.string().default('qwertz'),
  PUBLIC_KEY: z.string().meta({ secret: false }).optional(),
  RATE_API: rate().prefault('10/s burst 20'),
});

function read(options: ConfigOptions): object {
  return config(schema, { warn: () => undefined, ...options });
}

function printed(settings: object, format: 'table' | 'json'): string {
  let output = '';
  printConfig(settings, { format, write: (text) => (output += text) });
  return output;
}

describe('printConfig', () => {
  it('prints every setting with its value and source, secrets and credentials redacted', () => {
    const file = write('keys', SECRET);
    const settings = read({
      argv: ['--port', '9000'],
      env: {
        SECRET_KEYS_FILE: file,
        REDIS_URL: 'redis://me:hunter2@host/0',
        SEARXNG_URLS: 'http://u:hunter2@a/?apikey=hunter2&q=1,http://b',
        METRICS_TOKEN: 'hunter2',
        HOOK: 'https://hooks.example/hunter2',
        PUBLIC_KEY: 'known',
      },
    });

    expect(printed(settings, 'table')).toBe(
      [
        'setting        value                                                 source',
        'NODE_ENV       development                                           default',
        'PORT           9000                                                  argv',
        `SECRET_KEYS    [redacted]                                            file:${file}`,
        'REDIS_URL      redis://[redacted]@host/0                             env',
        'SEARXNG_URLS   http://[redacted]@a/?apikey=[redacted]&q=1, http://b  env',
        'METRICS_TOKEN  [redacted]                                            env',
        'HOOK           [redacted]                                            env',
        'KEYBOARD       qwertz                                                default',
        'PUBLIC_KEY     known                                                 env',
        'RATE_API       {"limit":10,"windowMs":1000,"burst":20}               default',
        '',
      ].join('\n'),
    );
  });

  it.each(['PGPASSWORD', 'OPENAI_APIKEY', 'CLIENTSECRET', 'SSH_PRIVATEKEY'])('hides %s', (name) => {
    const settings = config(z.object({ [name]: z.string() }), { env: { [name]: 'hunter2' } });
    expect(printed(settings, 'json')).not.toContain('hunter2');
  });

  it.each(['COMPASS', 'MONKEY', 'KEYBOARD', 'BYPASS_HOSTS'])('shows %s', (name) => {
    const settings = config(z.object({ [name]: z.string() }), { env: { [name]: 'known' } });
    expect(printed(settings, 'json')).toContain('known');
  });

  it.each(['password', 'apiKey', 'client-secret'])('hides a setting that has a member called %s', (name) => {
    const nested = z.object({ host: z.string(), login: z.object({ [name]: z.string().min(4) }).optional() });
    const read = (text: string): object =>
      config(z.object({ DB: nested }), {
        env: { DB: JSON.stringify({ host: 'a', login: { [name]: text } }) },
      });

    expect(printed(read('hunter2'), 'table')).toContain('[redacted]');
    expect(printed(read('hunter2'), 'json')).not.toContain('hunter2');
    expect(() => read('pwd')).toThrow(`DB.login.${name} must have at least 4 characters; got [redacted]`);
  });

  it('shows one whose members are said to be no secret', () => {
    const member = z.string().meta({ secret: false }).optional();
    const settings = config(z.object({ SIGNING: z.object({ publicKey: member }) }), {
      env: { SIGNING: '{"publicKey":"known"}' },
    });
    expect(printed(settings, 'json')).toContain('known');
  });

  it('prints JSON for programs', () => {
    const settings = read({ env: { METRICS_TOKEN: 'hunter2' } });
    const json: unknown = JSON.parse(printed(settings, 'json'));
    expect(json).toMatchObject({
      PORT: { value: 8889, source: 'default' },
      SECRET_KEYS: { value: '[redacted]', source: 'generated' },
      REDIS_URL: { value: null, source: 'default' },
      METRICS_TOKEN: { value: '[redacted]', source: 'env' },
      SEARXNG_URLS: { value: [], source: 'default' },
    });
  });

  it('hides a setting whole when a part of it is secret', () => {
    const nested = z.object({
      SMTP: z.object({ host: z.string(), pin: z.string().meta({ secret: true }) }),
      PEERS: z.array(z.object({ pin: z.string().meta({ secret: true }).optional() })).optional(),
    });
    const settings = config(nested, {
      env: { SMTP: '{"host":"h","pin":"hunter2"}', PEERS: '[{"pin":"hunter2"}]' },
    });
    expect(settingsOf(settings).map(({ value }) => value)).toEqual(['[redacted]', '[redacted]']);
  });

  it('keeps a value on its line', () => {
    const settings = config(z.object({ NAME: z.string() }), { env: { NAME: 'a\nPORT  1  env\u001b[2J' } });
    expect(printed(settings, 'table').split('\n')).toHaveLength(3);
  });

  it('refuses what config() did not return, and unknown formats', () => {
    expect(() => printConfig({})).toThrow('settingsOf: "config" must be what config() returned');
    // @ts-expect-error: not offered
    expect(() => printConfig(read({ env: {} }), { format: 'yaml' })).toThrow(
      "printConfig: \"format\" must be 'table' or 'json', got yaml",
    );
  });
});

describe('describeConfig', () => {
  it('lists what a schema asks for', () => {
    expect(describeConfig(schema).slice(0, 4)).toEqual([
      {
        name: 'NODE_ENV',
        wanted: 'one of development, test, production',
        default: 'development',
        description: undefined,
        required: false,
        secret: false,
      },
      {
        name: 'PORT',
        wanted: 'a port from 0 to 65535',
        default: '8889',
        description: 'where it listens',
        required: false,
        secret: false,
      },
      {
        name: 'SECRET_KEYS',
        wanted: 'secrets of at least 32 bytes, newest first, with commas between them',
        default: 'made at start, except in production',
        description: undefined,
        required: true,
        secret: true,
      },
      {
        name: 'REDIS_URL',
        wanted: 'a URL that begins with redis://',
        default: undefined,
        description: undefined,
        required: false,
        secret: false,
      },
    ]);
  });

  it('finds words for plain zod schemas, and hides the default of a secret', () => {
    const plain = z.object({
      A: z.number().min(1).max(5),
      B: z.int().min(0),
      C: z.boolean(),
      D: z.email(),
      E: z.array(z.string()),
      F: z.string().min(1),
      PASSWORD: z.string().default('hunter2'),
      TTL: duration().prefault('5m'),
    });
    const rows = describeConfig(plain);
    expect(rows.map(({ wanted }) => wanted)).toEqual([
      'a number from 1 to 5',
      'a number of at least 0',
      'on or off',
      'text of the form email',
      'JSON, an array',
      'text',
      'text',
      'a length of time with its unit, such as 250ms, 30s or 15m',
    ]);
    expect(rows.at(6)).toMatchObject({ default: '[redacted]', secret: true });
    expect(rows.at(7)).toMatchObject({ default: '5m' });
  });

  it.each([
    [duration(), 0, '0'],
    [duration(), 90_000, '90s'],
    [duration(), 1_500, '1500ms'],
    [duration(), 86_400_000, '1d'],
    [duration({ unit: 's' }), 300, '5m'],
    [bytes(), 16_777_216, '16mb'],
    [bytes(), 1_000, '1000b'],
    [rate(), { limit: 10, windowMs: 1_000, burst: 20 }, '10/s burst 20'],
    [rate(), { limit: 5, windowMs: 900_000 }, '5/15m'],
    [rate(), { limit: 5, windowMs: 15_000 }, '5/15s'],
    [flag(), false, 'off'],
  ])('shows a default as it would be written: %#', (schema, value, text) => {
    const written = z.object({ A: (schema as z.ZodType).default(value) });
    expect(describeConfig(written)).toMatchObject([{ default: text }]);
    expect(config(written, { env: { A: text } })).toEqual({ A: value });
  });
});
