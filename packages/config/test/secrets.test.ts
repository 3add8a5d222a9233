import { randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { config, secret, secrets } from '@signalbox/config';
import { problemsOf, warningsOf, write } from './support.js';

const STRONG = 'q8Zr2mVx5Yt0Lk7Wc3Nf9Hj4Pd6Bs1Gu';
const OTHER = '7c0f3a9b5de1482694b7f6103cad85e2';
const schema = z.object({ SECRET_KEYS: secrets({ generate: true }) });
const production = { NODE_ENV: 'production' };

describe('secrets', () => {
  it('are a list, newest first', () => {
    const env = { ...production, SECRET_KEYS: `${STRONG}, ${OTHER}` };
    expect(config(schema, { env }).SECRET_KEYS).toEqual([STRONG, OTHER]);
  });

  it('stop the start in production when they are missing', () => {
    expect(problemsOf(schema, { env: production })).toEqual([
      'SECRET_KEYS is not set: it must be secrets of at least 32 bytes, newest first, with commas between them, or SECRET_KEYS_FILE the path of a file that holds it',
    ]);
    expect(problemsOf(z.object({ SECRET: secret() }), { env: production })).toHaveLength(1);
  });

  it('are made at start elsewhere, where the schema asks for it', () => {
    const first = config(schema, { env: {} }).SECRET_KEYS;
    expect(first).toHaveLength(1);
    expect(Buffer.byteLength(first[0] ?? '')).toBeGreaterThanOrEqual(32);
    expect(config(schema, { env: { NODE_ENV: 'test' } }).SECRET_KEYS).not.toEqual(first);
    expect(problemsOf(z.object({ SECRET_KEYS: secrets() }), {})).toHaveLength(1);
  });

  it.each([
    ['short', 'is too short: 5 bytes, and 32 are wanted'],
    ['a'.repeat(64), 'is too easy to guess'],
    ['changeme'.repeat(5), 'is too easy to guess'],
    ['0123456789abcdefghijklmnopqrstuvwxyz', 'is too easy to guess'],
    ['my-secret-password-please-change-me', 'is too easy to guess'],
    ['q8Zr2'.repeat(8), 'is too easy to guess'],
    ['your-256-bit-secret-placeholder-insert', 'is too easy to guess'],
  ])('stop the start in production when they are as weak as %s', (weak, reason) => {
    const problems = problemsOf(schema, { env: { ...production, SECRET_KEYS: `${STRONG},${weak}` } });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(`SECRET_KEYS (number 2) ${reason}`);
    expect(problems[0]?.slice('SECRET_KEYS (number 2) is too short'.length)).not.toContain(weak);
  });

  it('are measured in bytes, not in characters', () => {
    const euros = 'äk€qöxß3wñ€pç8øz€5éû';
    expect(euros.length).toBeLessThan(32);
    const env = { ...production, SECRET_KEYS: euros };
    expect(config(schema, { env }).SECRET_KEYS).toEqual([euros]);
  });

  it('are only warned of outside production', () => {
    expect(warningsOf(schema, { env: { SECRET_KEYS: 'short' } })).toEqual([
      'SECRET_KEYS is too short: 5 bytes, and 32 are wanted; it came from the environment. In production this stops the start',
    ]);
  });

  it('are judged wherever they come from', () => {
    const json = write('app.json', '{ "SECRET_KEYS": ["short"] }');
    expect(problemsOf(schema, { env: production, files: [json] })).toHaveLength(1);
    expect(problemsOf(z.object({ A: secret().default('short') }), { env: production })).toEqual([
      'A is too short: 5 bytes, and 32 are wanted; it came from its default',
    ]);
    const transformed = z.object({ A: secret().transform((value) => Buffer.from(value)) });
    expect(problemsOf(transformed, { env: { ...production, A: 'short' } })).toHaveLength(1);
  });

  it('may be shorter where the schema says so', () => {
    const password = z.object({ ADMIN_PASSWORD: secret({ minBytes: 12 }).optional() });
    expect(config(password, { env: { ...production, ADMIN_PASSWORD: 'tr0ub4dor&3x' } })).toEqual({
      ADMIN_PASSWORD: 'tr0ub4dor&3x',
    });
    expect(config(password, { env: production })).toEqual({});
  });

  it('are refused when empty or doubled', () => {
    expect(problemsOf(schema, { env: { SECRET_KEYS: '' } })[0]).toContain('must hold at least one secret');
    expect(problemsOf(schema, { env: { SECRET_KEYS: `${STRONG},${STRONG}` } })[0]).toContain(
      'same secret twice',
    );
    expect(problemsOf(z.object({ A: secret() }), { env: { A: '' } })[0]).toContain(
      'must be a secret, and not empty',
    );
  });

  it('never refuses a random secret of the wanted length', () => {
    const encoding = fc.constantFrom<BufferEncoding>('hex', 'base64', 'base64url');
    fc.assert(
      fc.property(encoding, fc.integer({ min: 24, max: 64 }), (how, size) => {
        const env = { ...production, SECRET_KEYS: randomBytes(size).toString(how) };
        config(schema, { env, warn: () => expect.unreachable() });
      }),
      { numRuns: 500 },
    );
  });

  it('refuses bad options', () => {
    expect(() => secret({ minBytes: 0 })).toThrow(
      'secret: "minBytes" must be an integer of at least 1, got 0',
    );
    // @ts-expect-error: wrong type
    expect(() => secrets({ generate: 'yes' })).toThrow('secrets: "generate" must be true or false, got yes');
  });
});

describe('the profile', () => {
  const weak = { SECRET_KEYS: 'short' };

  it('is NODE_ENV, wherever that is set, or the option', () => {
    const file = write('.env', 'NODE_ENV=production');
    expect(problemsOf(schema, { env: { ...weak, NODE_ENV: 'production' } })).toHaveLength(1);
    expect(problemsOf(schema, { env: weak, files: [file] })).toHaveLength(1);
    expect(problemsOf(schema, { env: weak, argv: ['--node-env=production'] })).toHaveLength(1);
    expect(problemsOf(schema, { env: weak, profile: 'production' })).toHaveLength(1);
    expect(warningsOf(schema, { env: { ...weak, NODE_ENV: 'production' }, profile: 'test' })).toHaveLength(1);
  });

  it('is as strict as production when nobody can tell what was meant', () => {
    expect(problemsOf(schema, { env: { ...weak, NODE_ENV: 'prod' } })).toEqual([
      'NODE_ENV must be one of development, test, production (did you mean production?); got "prod" from the environment',
      expect.stringContaining('SECRET_KEYS is too short'),
    ]);
    expect(problemsOf(schema, { env: { SECRET_KEYS: STRONG, NODE_ENV: 'staging' } })).toEqual([
      'NODE_ENV must be one of development, test, production; got "staging" from the environment',
    ]);
  });

  it('is reported once when the schema holds NODE_ENV too', () => {
    const both = z.object({ NODE_ENV: z.enum(['development', 'production']).default('development') });
    expect(problemsOf(both, { env: { NODE_ENV: 'x' } })).toHaveLength(1);
    expect(config(both, { env: {}, profile: 'production' })).toEqual({ NODE_ENV: 'production' });
  });
});
