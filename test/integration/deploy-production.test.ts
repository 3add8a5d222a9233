import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/keeper.js';
import { freePort } from '../support/ports.js';
import { NEEDED, runScript } from './deploy-script.js';

describe('start-production.sh', () => {
  it('says what it takes', async () => {
    const { code, output } = await runScript(['--help']);
    expect(code).toBe(0);
    for (const word of ['single', 'cluster', 'daemon', '--workers', '--bind', '--env-file']) {
      expect(output).toContain(word);
    }
  });

  it.each([
    [['twice'], 'there is no mode "twice"'],
    [['single', '--wrokers', '2'], 'there is no option "--wrokers"'],
    [['cluster', '--workers'], '--workers needs a value'],
    [['cluster', '--workers', '02'], '--workers must be a whole number from 1, got "02"'],
    [['single', '--workers', '2'], '--workers is for cluster and daemon'],
  ])('refuses %j with a sentence and exit code 2', async (args, sentence) => {
    expect(await runScript(args)).toEqual({ code: 2, output: expect.stringContaining(sentence) });
  });

  it.each([
    ['HOST=::1', []],
    ['HOST=[::1]', []],
    ['# none', ['--bind', '[::1]:0']],
  ])('takes IPv6 as in %s %j', async (line, args) => {
    const { path: cwd } = temporaryFolder('production');
    writeFileSync(join(cwd, 'settings'), `SECRET_KEYS=${NEEDED.SECRET_KEYS}\nPORT=0\n${line}\n`);
    const { code, output } = await runScript(
      ['check', '--env-file', 'settings', '--pid-file', 'run/pid', ...args],
      {},
      cwd,
    );
    expect(output).toContain('All is there; nothing was started.');
    expect(code).toBe(0);
  });

  it('listens on the SOCKET of the settings, unless it is told where', async () => {
    const { path: cwd } = temporaryFolder('production');
    const socket = join(cwd, 'none/app.sock');
    writeFileSync(join(cwd, 'settings'), `SECRET_KEYS=${NEEDED.SECRET_KEYS}\nPORT=0\nSOCKET=${socket}\n`);
    const files = ['check', '--env-file', 'settings', '--pid-file', 'run/pid'];
    expect((await runScript(files, {}, cwd)).output).toContain(`cannot create the socket ${socket}`);
    expect((await runScript([...files, '--bind', '127.0.0.1:0'], {}, cwd)).code).toBe(0);
    const told = await runScript([...files, '--bind', 'unix:nowhere/app.sock'], {}, cwd);
    expect(told.output).toContain(`cannot create the socket ${join(cwd, 'nowhere/app.sock')}`);
  });

  it('takes a value in quotes for what is between them, as Node and systemd do with the same file', async () => {
    const { path: cwd } = temporaryFolder('production');
    writeFileSync(
      join(cwd, 'settings'),
      `SECRET_KEYS=${NEEDED.SECRET_KEYS}\nPORT="0"\nRATE_API='10/s burst 20'\nRATE_SEARCH="5/s"\n`,
    );
    const { output } = await runScript(['check', '--env-file', 'settings', '--pid-file', 'run/pid'], {}, cwd);
    expect(output).toContain('All is there; nothing was started.');
  });

  it('starts nothing where a setting is missing or wrong, and says all that is', async () => {
    const { path: cwd } = temporaryFolder('production');
    writeFileSync(
      join(cwd, 'settings'),
      `# as an operator writes it\nRATE_API=often\nPORT=${await freePort()}\n`,
    );
    const { code, output } = await runScript(
      ['single', '--env-file', 'settings', '--pid-file', 'run/pid'],
      {},
      cwd,
    );
    expect(code).toBe(1);
    for (const word of ['SECRET_KEYS', 'RATE_API', 'not started']) expect(output).toContain(word);
    expect(output).not.toContain('Starting');
  });
});
