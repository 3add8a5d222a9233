import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { config, port, secrets, url } from '@signalbox/config';
import { editDistance, nearest } from '../src/suggest.js';
import { problemsOf, warningsOf, write } from './support.js';

const schema = z.object({
  HOST: z.string().default('127.0.0.1'),
  PORT: port().default(3000),
  LOG_LEVEL: z.string().default('info'),
  REDIS_URL: url().optional(),
  SECRET_KEYS: secrets({ generate: true }),
});

describe('names close to a setting', () => {
  it('are warned of in the environment and in a shared file', () => {
    const file = write('.env', 'LOGLEVEL=debug');
    expect(
      warningsOf(schema, { env: { REDIS_URI: 'x', redis_url: 'x', NODE_EVN: 'x' }, files: [file] }),
    ).toEqual([
      'REDIS_URI from the environment is not a setting; did you mean REDIS_URL?',
      'redis_url from the environment is not a setting; did you mean REDIS_URL?',
      'NODE_EVN from the environment is not a setting; did you mean NODE_ENV?',
      `LOGLEVEL from ${file} is not a setting; did you mean LOG_LEVEL?`,
    ]);
  });

  it('are no matter where the setting itself is set, or where every machine has them', () => {
    expect(warningsOf(schema, { env: { REDIS_URL: 'redis://h', REDIS_URI: 'x' } })).toEqual([]);
    const everywhere = {
      HOME: '/',
      HOSTNAME: 'x',
      USER: 'x',
      PATH: 'x',
      LOGNAME: 'x',
      npm_config_user_agent: 'x',
    };
    expect(warningsOf(schema, { env: everywhere })).toEqual([]);
  });

  it('stop the start when they tell of a secret file that would not be read', () => {
    expect(problemsOf(schema, { env: { SECRET_KEY_FILE: '/run/secrets/keys' } })).toEqual([
      'SECRET_KEY_FILE from the environment is not a setting; did you mean SECRET_KEYS_FILE?',
    ]);
  });

  it('stop the start in a JSON file, as every unknown name there', () => {
    const file = write('app.json', '{ "PROT": 1, "COLOUR": "red" }');
    expect(problemsOf(schema, { files: [file] })).toEqual([
      `PROT from ${file} is not a setting; did you mean PORT?`,
      `COLOUR from ${file} is not a setting`,
    ]);
  });

  it('are warned of through the process where nobody asked to be told', async () => {
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
    config(schema, { env: { REDIS_URI: 'x' } });
    expect(await warned).toMatchObject({ name: 'ConfigWarning', code: 'SIGNALBOX_CONFIG' });
  });
});

describe('nearest', () => {
  it('finds a name with one letter dropped, doubled, changed or swapped', () => {
    const name = 'RATE_SEARCH';
    const slip = fc.tuple(fc.nat(name.length - 2), fc.constantFrom('drop', 'double', 'change', 'swap'));
    fc.assert(
      fc.property(slip, ([at, kind]) => {
        const before = name.slice(0, at);
        const [first = '', second = ''] = name.slice(at, at + 2);
        const after = name.slice(at + 2);
        const typed = {
          drop: second,
          double: first + first + second,
          change: `_${second}`,
          swap: second + first,
        };
        expect(nearest(before + typed[kind] + after, ['PORT', name, 'RATE_API'])).toBe(name);
      }),
    );
  });

  it('measures a distance that is symmetric, and zero only for equals', () => {
    const short = fc.string({ maxLength: 6 });
    fc.assert(
      fc.property(short, short, (a, b) => {
        expect(editDistance(a, b)).toBe(editDistance(b, a));
        expect(editDistance(a, b) === 0).toBe(a === b);
      }),
    );
  });

  it('finds nothing where nothing is near', () => {
    expect(nearest('HOME', ['HOST', 'PORT'])).toBeUndefined();
    expect(nearest('', ['PORT'])).toBeUndefined();
  });
});
