import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startProgram } from '@signalbox/testing';
import { describe, expect, it } from 'vitest';
import { formatReport } from '../src/command-line/format.js';
import { parse, UsageError } from '../src/command-line/parse.js';
import { doctor, type DoctorReport } from '../src/index.js';
import { newFolder } from './support.js';

const BIN = fileURLToPath(new URL('../bin/signalbox-doctor.js', import.meta.url));

async function run(
  folder: string,
  ...args: string[]
): Promise<{ code: number | null; out: string; err: string }> {
  const program = await startProgram(process.execPath, [BIN, ...args], {
    cwd: folder,
    env: { NODE_ENV: undefined, NODE_OPTIONS: undefined, VITEST: undefined },
  });
  const { code } = await program.exited;
  return { code, out: program.stdout(), err: program.stderr() };
}

describe('a command line', () => {
  it.each<[string[], string]>([
    [['--jsno'], '--jsno is no option; did you mean "--json"?'],
    [['--json=yes'], '--json=yes is no option'],
    [['a', 'b'], 'there are two targets, a and b'],
    [['--url'], '--url needs a value'],
    [['--url', 'example.com'], '--url must begin with http:// or https://'],
    [['--drain', 'soon'], '--drain must be a length of time such as 30s, got soon'],
    [['--ignore', 'SBX101,SBX9'], '--ignore: SBX9 is no code; --codes lists them'],
    [['--explain', 'x'], 'X is no code; --codes lists them'],
  ])('%j is refused with a sentence', (args, message) => {
    expect(() => parse(args)).toThrow(UsageError);
    expect(() => parse(args)).toThrow(message);
  });

  it('has a target, and options in either form', () => {
    expect(parse(['dist/main.js', '--drain=45s', '--ignore', 'sbx102', '--no-redis'])).toMatchObject({
      kind: 'examine',
      target: 'dist/main.js',
      drainMs: 45_000,
      ignore: ['SBX102'],
      redis: false,
      start: true,
    });
    expect(parse([])).toMatchObject({ target: '.', json: false, strict: false });
    expect(parse(['-h'])).toEqual({ kind: 'help' });
  });
});

describe('signalbox-doctor', { timeout: 60_000 }, () => {
  it('ends with 1 for an error, and says where, why and what to do', async () => {
    const folder = newFolder();
    writeFileSync(join(folder, '.env'), 'SESSION_SECRET="keyboard cat"\nLOG_LEVEL=debug\n');
    const { code, out, err } = await run(folder, '--ignore', 'SBX118');
    expect({ code, err }).toEqual({ code: 1, err: '' });
    expect(out).toMatch(
      /^error {3}SBX104 {2}a secret is a default or an example\n {2}where {2}\.env: SESSION_SECRET\n {2}why/,
    );
    expect(out).toContain('1 error, 1 warning, 0 notes.');
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
  });

  it('ends with 0 where only warnings are found', async () => {
    const folder = newFolder();
    writeFileSync(join(folder, '.env'), 'LOG_LEVEL=debug\n');
    const { code, out } = await run(folder, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out) as DoctorReport).toMatchObject({ ok: true, counts: { warning: 1 } });
  });

  it('ends with 1 for a warning where nobody wants to live with one', async () => {
    const folder = newFolder();
    writeFileSync(join(folder, '.env'), 'LOG_LEVEL=debug\n');
    expect((await run(folder, '--strict')).code).toBe(1);
  });

  it('ends with 2 for what is not there', async () => {
    expect(await run(newFolder(), 'main.js')).toEqual({
      code: 2,
      out: '',
      err: 'signalbox-doctor: there is no folder or program main.js\n',
    });
  });

  it('takes the schema of the settings from a module', async () => {
    const folder = newFolder();
    const schema = `{ shape: { PORT: 1 }, safeParse: () => 1 }`;
    writeFileSync(join(folder, 'settings.mjs'), `export const A = ${schema}; export const B = ${schema};`);
    const { code, err } = await run(folder, '--settings', 'settings.mjs');
    expect({ code, err }).toEqual({
      code: 2,
      err: 'signalbox-doctor: --settings: settings.mjs must export one z.object(), and it has 2\n',
    });
  });

  it('prints nothing but text where it is asked to be plain', async () => {
    const folder = newFolder();
    const report = await doctor(folder, { env: { LOG_LEVEL: 'debug' } });
    expect(formatReport(report, false)).not.toContain('\u001B');
    expect(formatReport(report, true)).toContain('\u001B[33mwarning');
  });
});
