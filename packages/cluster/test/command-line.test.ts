import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startProgram } from '@signalbox/testing';
import { describe, expect, it } from 'vitest';
import { ClusterError } from '../src/cluster-error.js';
import { readWords } from '../src/command-words.js';
import { findOtherCommand } from '../src/other-command.js';
import type { ClusterSettings } from '../src/options.js';
import { resolveCommand } from '../src/resolve-command.js';
import { fixture, newPlace, SIGNALBOX, startCluster } from './support.js';

describe('a wrong command line', { timeout: 60_000 }, () => {
  const APP = fixture('app.mjs');

  it.each<[string, string[], string]>([
    [
      'an unknown command',
      ['strat'],
      'strat is no command; there are start, stop, reload, status, check-config, help, version',
    ],
    ['no program', ['start'], 'say which program to start: signalbox start dist/main.js'],
    [
      'two programs',
      ['start', 'a.js', 'b.js'],
      'there are two programs, a.js and b.js; arguments for the program stand behind --',
    ],
    [
      'a misspelt option',
      ['start', APP, '--wrokers', '2'],
      '--wrokers is not a setting; did you mean --workers?',
    ],
    [
      'no number',
      ['start', APP, '--workers', 'many'],
      '--workers must be a number from 1 to 1024; got "many" from --workers',
    ],
    ['no workers', ['start', APP, '--workers', '0'], '--workers must be at least 1; got "0" from --workers'],
    ['no value', ['start', APP, '--workers'], '--workers needs a value'],
    ['an odd address', ['start', APP, '--bind', 'nowhere'], 'signalbox: "bind" must be such as'],
    ['a port too high', ['start', APP, '--bind', '127.0.0.1:70000'], 'signalbox: "bind" must be such as'],
    [
      'no unit',
      ['start', APP, '--max-age', '10'],
      '--max-age must be a length of time with its unit, such as 250ms, 30s or 15m',
    ],
    [
      'a mode without a socket',
      ['start', APP, '--socket-mode', '660'],
      'signalbox: "socketMode" needs "bind" to be unix:PATH',
    ],
    [
      'an odd level',
      ['start', APP, '--log-level', 'loud'],
      '--log-level must be one of trace, debug, info, warn, error, fatal, silent',
    ],
    ['a missing file of settings', ['start', APP, '--config', 'none.js'], 'there is no file of settings'],
  ])('is refused with a sentence: %s', async (_name, args, sentence) => {
    const refusal = await refusalOf(args);
    expect(refusal.message.slice(0, sentence.length)).toBe(sentence);
    expect(refusal.message.split('\n')).toHaveLength(1);
    expect(refusal.exitCode).toBe(2);
  });

  it('ends the command with 2, and changes nothing', async () => {
    const place = newPlace();
    expect(await place.signalbox('start', APP, '--workers', '0')).toEqual({
      code: 2,
      signal: null,
      stdout: '',
      stderr: 'signalbox: --workers must be at least 1; got "0" from --workers\n',
    });
    expect(readdirSync(place.folder)).toEqual([]);
    expect(await place.signalbox('stop', APP)).toMatchObject({ code: 2, stdout: '' });
  });
});

describe('settings', { timeout: 60_000 }, () => {
  const APP = fixture('app.mjs');

  it('come from arguments, then the environment, then the file', async () => {
    const place = newPlace();
    const file = place.path('signalbox.config.json');
    place.write('signalbox.config.json', { entry: APP, workers: 5, maxRequests: 100 });
    const settings = async (env: Record<string, string>, ...args: string[]): Promise<ClusterSettings> =>
      (await resolveCommand(readWords(['start', '--config', file, ...args]), env)).settings;

    expect(await settings({})).toMatchObject({ workers: 5, maxRequests: 100, maxAgeMs: 0 });
    const env = { SIGNALBOX_WORKERS: '4', SIGNALBOX_MAX_AGE: '12h' };
    expect(await settings(env)).toMatchObject({ workers: 4, maxRequests: 100, maxAgeMs: 43_200_000 });
    expect(await settings(env, '-w', '3', '--max-requests=7', '--max-memory', '1gb')).toMatchObject({
      workers: 3,
      maxRequests: 7,
      maxAgeMs: 43_200_000,
      maxMemoryBytes: 1_073_741_824,
    });
  });

  it('of the environment that are wrong are named as they stand there', async () => {
    const { message } = await refusalOf(['start', APP], { SIGNALBOX_WORKERS: 'x', SIGNALBOX_BIND: ' ' });
    expect(message.split('\n')).toEqual([
      'SIGNALBOX_WORKERS must be a number from 1 to 1024; got "x" from the environment',
      'SIGNALBOX_BIND must be text that is not empty; got " " from the environment',
    ]);
  });

  it('of a file are checked, and it may be a module', async () => {
    const place = newPlace();
    place.write('package.json', { type: 'module' });
    const check = async (content: string): Promise<string> => {
      place.write('signalbox.config.js', content);
      const { code, stdout, stderr } = await place.signalbox('check-config');
      return `${code} ${stdout}${stderr.replaceAll(place.folder, '')}`;
    };
    const entry = `entry: ${JSON.stringify(APP)}`;
    expect(await check(`export default { ${entry}, workers: 2, hooks: { whenReady() {} } }`)).toContain(
      'hooks: whenReady',
    );
    expect(await check(`export default { ${entry}, workers: 0 }`)).toBe(
      '2 signalbox: /signalbox.config.js: "workers" must be an integer from 1 to 1024, got 0\n',
    );
    expect(await check(`export default { ${entry}, hooks: { onReady() {} } }`)).toContain(
      '/signalbox.config.js: "hooks": "onReady" is not an option; ',
    );
    expect(await check('export const workers = 2')).toContain(
      'must have an object of settings as its default export',
    );
    expect(await check('export default {')).toMatch(
      /^2 signalbox: \/signalbox\.config\.js cannot be read: .*Unexpected/,
    );
  });
});

describe('signalbox check-config', { timeout: 60_000 }, () => {
  it('says what would keep the program from starting, and starts nothing', async () => {
    const place = newPlace();
    place.write('broken.js', 'const = 1;');
    const broken = await place.signalbox('check-config', 'broken.js');
    expect(broken.code).toBe(9);
    expect(broken.stderr).toMatch(/^signalbox: the program does not start: .*broken\.js: SyntaxError: /);
    expect(await place.signalbox('check-config', 'missing.js')).toMatchObject({ code: 6 });

    const cluster = await startCluster({ workers: 1 });
    const { host } = new URL(cluster.url);
    const taken = await place.signalbox('check-config', fixture('app.mjs'), '-b', host);
    expect(taken.code).toBe(5);
    // Its own manager may have it.
    const own = await cluster.signalbox('check-config', fixture('app.mjs'), '-b', host);
    expect(own).toMatchObject({ code: 0, stderr: '' });
    expect(own.stdout).toMatch(/^the settings are right; a manager runs already\n/);
  });
});

describe('a command of another package', { timeout: 60_000 }, () => {
  /** A program in node_modules/.bin of that folder. */
  const install = (folder: string, name: string, source: string, mode = 0o755): void => {
    mkdirSync(join(folder, 'node_modules/.bin'), { recursive: true });
    writeFileSync(join(folder, 'node_modules/.bin', name), `#!${process.execPath}\n${source}`, { mode });
  };

  it('is run from node_modules/.bin of a folder above, with its arguments as they are', async () => {
    const place = newPlace();
    install(
      place.folder,
      'signalbox-greet',
      'console.log(JSON.stringify(process.argv.slice(2))); process.exit(42)',
    );
    mkdirSync(place.path('inside/deeper'), { recursive: true });
    const program = await startProgram(
      process.execPath,
      [SIGNALBOX, 'greet', '--name', '$HOME; ls', '--help', '--', '*'],
      { cwd: place.path('inside/deeper') },
    );
    expect(await program.exited).toEqual({ code: 42, signal: null });
    expect(program.stdout()).toBe('["--name","$HOME; ls","--help","--","*"]\n');
  });

  it('gets the SIGTERM that the command gets, and decides how it ends', async () => {
    const place = newPlace();
    const source =
      "process.on('SIGTERM', () => process.exit(7)); setInterval(() => {}, 1e6); console.log('waiting')";
    install(place.folder, 'signalbox-wait', source);
    const program = await place.spawn(['wait']);
    await program.waitFor(/waiting/);
    program.signal('SIGTERM');
    expect(await program.exited).toEqual({ code: 7, signal: null });
  });

  it('says which package it comes with where it is not installed', () => {
    const { folder } = newPlace();
    expect(() => findOtherCommand('doctor', folder)).toThrow(
      'doctor is not installed here: npm install --save-dev @signalbox/doctor',
    );
    install(folder, 'signalbox-doctor', '', 0o644);
    expect(() => findOtherCommand('doctor', folder)).toThrow(/^no permission to run .*signalbox-doctor$/);
  });

  it('never takes the place of a command of ours, and has a plain name', () => {
    const { folder } = newPlace();
    for (const name of ['start', '..-x', '-x']) install(folder, `signalbox-${name}`, '');
    expect(
      ['start', '../x', '..-x', '-x', '', 'strat', undefined].map((word) => findOtherCommand(word, folder)),
    ).toEqual(Array.from({ length: 7 }));
  });
});

describe('signalbox help', () => {
  it('shows every command, option, signal and exit code', async () => {
    const { code, stdout } = await newPlace().signalbox('help');
    expect(code).toBe(0);
    expect(stdout).toMatch(/check-config <program>[^]*--max-requests-jitter[^]*USR2[^]*5 {3}address in use/);
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
    expect((await newPlace().signalbox('version')).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

/** Why a command line is refused, without a process for each. */
async function refusalOf(argv: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<ClusterError> {
  try {
    await resolveCommand(readWords(argv), env);
  } catch (error) {
    if (error instanceof ClusterError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}
