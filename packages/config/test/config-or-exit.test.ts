import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const packageFolder = fileURLToPath(new URL('..', import.meta.url));

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs the first lines of a program, as the package is installed, with these arguments and nothing in the environment. */
async function run(argv: string[], env: Record<string, string> = {}): Promise<Ended> {
  const program = `
    import { configOrExit, port, secrets } from '@signalbox/config';
    import { z } from 'zod';
    const settings = configOrExit(
      z.object({ PORT: port().describe('where it listens'), SECRET_KEYS: secrets({ generate: true }) }),
      { argv: process.argv.slice(1) },
    );
    console.log('started on', settings.PORT);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program, '--', ...argv], {
    cwd: packageFolder,
    env: { PATH: process.env['PATH'], ...env },
  });
  const ended: Ended = { code: null, stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (ended.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (ended.stderr += chunk.toString()));
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      ended.code = code;
      resolve();
    });
  });
  return ended;
}

describe('configOrExit', () => {
  it('lets the program go on with its settings', async () => {
    expect(await run(['--port', '8080'])).toEqual({ code: 0, stdout: 'started on 8080\n', stderr: '' });
  });

  it('prints every problem and exits with 78', async () => {
    const { code, stdout, stderr } = await run(['--prot', '1'], { PORT: '8889abc', SECRET_KEYS: '' });
    expect(code).toBe(78);
    expect(stdout).toBe('');
    expect(stderr).toBe(
      [
        '3 settings are wrong:',
        '  --prot is not a setting; did you mean --port?',
        '  PORT must be a port from 0 to 65535; got "8889abc" from the environment',
        '  SECRET_KEYS must hold at least one secret; got [redacted] from the environment',
        '',
      ].join('\n'),
    );
  });

  it('prints the settings, redacted, for --print-config', async () => {
    const { code, stdout } = await run(['--print-config', '--port=1']);
    expect(code).toBe(0);
    expect(stdout).toBe(
      'setting      value       source\nPORT         1           argv\nSECRET_KEYS  [redacted]  generated\n',
    );
    expect((await run(['--print-config'])).code).toBe(78);
  });

  it('prints what can be set for --help', async () => {
    const { code, stdout } = await run(['--help']);
    expect(code).toBe(0);
    expect(stdout).toContain('PORT         --port         where it listens (required)\n');
    expect(stdout).toContain('SECRET_KEYS  --secret-keys  secrets of at least 32 bytes');
  });
});
