import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { config, ConfigError, flag, list, port, secret } from '@signalbox/config';
import { problemsOf, warningsOf } from './support.js';

const schema = z.object({
  PORT: port().default(3000),
  LOG_LEVEL: z.string().default('info'),
  PRIVACY: flag().default(true),
  VERBOSE: z.boolean().default(false),
  CORS_ORIGINS: list().default([]),
  TOKEN: secret().optional(),
});

function read(...argv: string[]): Record<string, unknown> {
  return config(schema, { env: {}, argv, warn: () => undefined });
}

describe('arguments', () => {
  it('are --name value or --name=value, in kebab case', () => {
    expect(read('--port', '9000', '--log-level=debug')).toMatchObject({ PORT: 9000, LOG_LEVEL: 'debug' });
    expect(read('--log-level=a=b', '--port', '1')).toMatchObject({ LOG_LEVEL: 'a=b', PORT: 1 });
  });

  it('need no value for a flag, and can deny it', () => {
    expect(read('--verbose', '--no-privacy')).toMatchObject({ VERBOSE: true, PRIVACY: false });
    expect(read('--privacy', 'off', '--verbose=on')).toMatchObject({ VERBOSE: true, PRIVACY: false });
    expect(read('--privacy', '--port', '1')).toMatchObject({ PRIVACY: true, PORT: 1 });
  });

  it('may name a list several times, and anything else once', () => {
    expect(read('--cors-origins', 'a,b', '--cors-origins=c')['CORS_ORIGINS']).toEqual(['a', 'b', 'c']);
    expect(problemsOf(schema, { argv: ['--port=1', '--port=2'] })).toEqual(['--port is given twice']);
  });

  it('must be known, have their value, and begin with --', () => {
    expect(problemsOf(schema, { argv: ['--prot', '1'] })).toEqual([
      '--prot is not a setting; did you mean --port?',
    ]);
    expect(problemsOf(schema, { argv: ['--colour'] })).toEqual(['--colour is not a setting']);
    expect(problemsOf(schema, { argv: ['--port'] })).toEqual(['--port needs a value']);
    expect(problemsOf(schema, { argv: ['--port', '--verbose'] })).toEqual(['--port needs a value']);
    expect(problemsOf(schema, { argv: ['--no-privacy=on'] })).toEqual(['--no-privacy takes no value']);
    expect(problemsOf(schema, { argv: ['--no-port'] })).toEqual(['--no-port is not a setting']);
  });

  it('are not shown where they may be a secret gone astray', () => {
    expect(problemsOf(schema, { argv: ['--port', '1', 'hunter2'] })).toEqual([
      'argument 3 is not an option: options begin with --, their values follow them',
    ]);
  });

  it('are a poor place for a secret, which is said', () => {
    const warnings = warningsOf(schema, { argv: ['--token', 'q8Zr2mVx5Yt0Lk7Wc3Nf9Hj4Pd6Bs1Gu'] });
    expect(warnings).toEqual([
      'TOKEN is a secret, and arguments can be read by every user of the machine: use TOKEN_FILE',
    ]);
  });

  it('never end in anything but settings or a ConfigError', () => {
    const argument = fc.oneof(
      fc.string(),
      fc.constantFrom(
        '--port',
        '--port=',
        '--',
        '-',
        '--no-',
        '--=x',
        '--privacy',
        'off',
        '1',
        '--port-file',
      ),
    );
    fc.assert(
      fc.property(fc.array(argument, { maxLength: 6 }), (argv) => {
        try {
          read(...argv);
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigError);
        }
      }),
    );
  });
});
