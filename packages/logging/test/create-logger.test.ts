import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLogger, log, type LoggerOptions, type RootLogger } from '../src/index.js';
import { recorder } from './recorder.js';

beforeEach(() => {
  vi.stubEnv('LOG_LEVEL', undefined);
});

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('createLogger', () => {
  it('writes a line of JSON with the level by name, the time in UTC and the process id', () => {
    const destination = recorder();
    createLogger({ destination }).info({ port: 8080 }, 'listening');

    const [line] = destination.lines;
    expect(line).toMatchObject({ level: 'info', pid: process.pid, port: 8080, msg: 'listening' });
    expect(line?.['time']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(Math.abs(Date.parse(String(line?.['time'])) - Date.now())).toBeLessThan(5_000);
  });

  it('puts the name and the fields that it was given on every line', () => {
    const destination = recorder();
    createLogger({ destination, name: 'search', fields: { region: 'eu', apiKey: 'k' } }).info('up');

    expect(destination.lines[0]).toMatchObject({ name: 'search', region: 'eu', apiKey: '[Redacted]' });
    expect(destination.lines[0]).not.toHaveProperty('pid');
  });

  it('writes lines for people where it is asked to', async () => {
    let text = '';
    const logger = createLogger({ pretty: true, destination: { write: (line) => (text += line) } });
    logger.warn({ disk: 'full' }, 'look here');
    await logger.close();

    expect(text).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] WARN: look here \{"disk":"full"\}\n$/);
  });

  it('calls back when flushed', async () => {
    const logger = createLogger({ file: '/dev/null' });
    await new Promise<void>((resolve, reject) => {
      logger.flush((error) => (error === undefined ? resolve() : reject(error)));
    });
    await logger.close();
  });

  describe('levels', () => {
    it('begins at info', () => {
      const destination = recorder();
      const logger = createLogger({ destination });
      logger.debug('unheard');
      logger.info('heard');

      expect(destination.lines.map((line) => line['msg'])).toEqual(['heard']);
    });

    it('takes the level from LOG_LEVEL, in any case', () => {
      vi.stubEnv('LOG_LEVEL', 'WARN');
      expect(createLogger({ destination: recorder() }).level).toBe('warn');
    });

    it('prefers the option to LOG_LEVEL', () => {
      vi.stubEnv('LOG_LEVEL', 'warn');
      expect(createLogger({ destination: recorder(), level: 'trace' }).level).toBe('trace');
    });

    it('changes while running, for children that exist, and leaves those alone that have their own', () => {
      const destination = recorder();
      const logger = createLogger({ destination });
      const child = logger.child({ part: 'child' });
      const grandchild = child.child({ part: 'grandchild' });
      const own = logger.child({ part: 'own' }, { level: 'error' });

      logger.level = 'debug';
      for (const each of [logger, child, grandchild, own]) each.debug('hello');
      logger.level = 'silent';
      for (const each of [logger, child, grandchild, own]) each.error('bye');

      expect(destination.lines.map(({ part, msg }) => [part, msg])).toEqual([
        [undefined, 'hello'],
        ['child', 'hello'],
        ['grandchild', 'hello'],
        ['own', 'bye'],
      ]);
    });
  });

  describe('the root logger', () => {
    it('is the first that is open, or the one that says so', async () => {
      await (log() as RootLogger).close();
      const first = createLogger({ destination: recorder(), name: 'first' });
      const second = createLogger({ destination: recorder(), name: 'second' });
      expect(log().bindings()).toMatchObject({ name: 'first' });

      const third = createLogger({ destination: recorder(), name: 'third', root: true });
      expect(log().bindings()).toMatchObject({ name: 'third' });

      await Promise.all([first.close(), second.close(), third.close()]);
      const fourth = createLogger({ destination: recorder(), name: 'fourth' });
      expect(log().bindings()).toMatchObject({ name: 'fourth' });
      await fourth.close();
    });
  });

  describe('bad options', () => {
    const refused: [string, object, string][] = [
      [
        'a level that pino does not have',
        { level: 'verbose' },
        'createLogger: "level" must be "trace" or "debug" or "info" or "warn" or "error" or "fatal" or "silent", got "verbose"',
      ],
      ['a misspelt option', { lvel: 'info' }, 'createLogger: "lvel" is not an option; did you mean "level"?'],
      [
        'an unknown option',
        { transport: {} },
        'createLogger: "transport" is not an option; there are level, name',
      ],
      [
        'a destination that cannot be written to',
        { destination: {} },
        '"destination" must be an object with a',
      ],
      [
        'a file beside a destination',
        { file: 'x', destination: recorder() },
        'must be left out where "file"',
      ],
      ['an empty path', { file: '' }, 'createLogger: "file" must be a non-empty string, got ""'],
      ['a file size of 0', { file: { path: 'x', maxBytes: 0 } }, '"file.maxBytes" must be a number of at'],
      [
        'half a file to keep',
        { file: { path: 'x', keep: 0.5 } },
        '"file.keep" must be an integer of at least',
      ],
      [
        'a misspelt file option',
        { file: { path: 'x', maxByte: 1 } },
        'createLogger: "file": "maxByte" is not an option; did you mean "maxBytes"?',
      ],
      [
        'names to redact that are no list',
        { redact: { keys: 'ssn' } },
        '"redact.keys" must be a list of names',
      ],
    ];

    it.each(refused)('refuses %s', (_what, options, message) => {
      expect(() => createLogger(options as LoggerOptions)).toThrow(TypeError);
      expect(() => createLogger(options as LoggerOptions)).toThrow(message);
    });

    it('refuses a LOG_LEVEL that pino does not have, rather than be silent or loud by surprise', () => {
      vi.stubEnv('LOG_LEVEL', 'verbose');
      expect(() => createLogger()).toThrow('createLogger: "LOG_LEVEL" must be "trace" or "debug" or "info"');
    });

    it('says so when the file cannot be opened', () => {
      expect(() => createLogger({ file: '/dev/null/app.log' })).toThrow('/dev/null');
    });
  });
});
