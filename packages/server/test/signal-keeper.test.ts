import { execFileSync, type StdioOptions } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '@signalbox/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { requireFreeAddress } from '../src/index.js';
import { serveHere } from './support.js';

const program = fileURLToPath(new URL('fixtures/parent.mjs', import.meta.url));

/** What the program says of its parent. */
function run(command: string, args: readonly string[], cwd?: string, input = ''): string {
  const stdio: StdioOptions = ['pipe', 'pipe', 'ignore'];
  return execFileSync(command, args, { encoding: 'utf8', cwd, stdio, input }).trim();
}

describe('a parent that keeps SIGTERM to itself', () => {
  const node = `"${process.execPath}" "${program}"`;

  it('is a shell that waits for the program', () => {
    expect(run('/bin/sh', ['-c', `${node}; exit 0`])).toBe('sh');
  });

  it('is a shell that runs a script', () => {
    const { path } = folder();
    const script = join(path, 'start.sh');
    writeFileSync(script, `${node}\nexit 0\n`);
    expect(run('/bin/sh', [script])).toBe('sh');
  });

  it('is npm, where it starts the program through a shell that stays', { timeout: 30_000 }, () => {
    const { path } = folder();
    const scripts = { start: `${node}; exit 0` };
    writeFileSync(join(path, 'package.json'), JSON.stringify({ name: 'x', version: '1.0.0', scripts }));
    expect(run('npm', ['--silent', 'start'], path)).toBe('npm, by way of sh');
  });

  it('is none, where the shell gives its jobs groups of their own, as an interactive one does', () => {
    const { path } = folder();
    const start = join(path, 'start file');
    writeFileSync(start, 'PS1=');
    expect(run('bash', ['-c', `set -m; ${node}; exit 0`])).toBe('undefined');
    expect(run('bash', ['--rcfile', start, '-i'], path, `${node}\nexit 0\n`)).toBe('undefined');
  });

  it('is none, where the shell makes way for the program, or there is none', () => {
    expect(run('/bin/sh', ['-c', `exec ${node}`])).toBe('undefined');
    expect(run(process.execPath, [program])).toBe('undefined');
  });
});

describe('requireFreeAddress', () => {
  it('resolves where a server could listen, and leaves nothing behind', async () => {
    const { path } = folder();
    await requireFreeAddress({ host: '127.0.0.1', port: 0 });
    const socket = join(path, 'free.sock');
    await requireFreeAddress({ socket, socketMode: undefined });
    await requireFreeAddress({ socket, socketMode: 0o600 });
  });

  it('rejects where one listens', async () => {
    const { address } = await serveHere((_req, res) => res.end());
    await expect(requireFreeAddress(address)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    const { path } = folder();
    const socket = join(path, 'a folder');
    mkdirSync(socket);
    await expect(requireFreeAddress({ socket, socketMode: undefined })).rejects.toThrow('is not a socket');
  });
});

function folder() {
  const temporary = temporaryFolder('parent');
  onTestFinished(() => temporary.remove());
  return temporary;
}
