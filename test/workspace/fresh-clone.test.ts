import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/keeper.js';
import { startProgram, type Program, type ProgramOptions } from '../support/program.js';
import { filesIn, root, shortPath } from './workspace.js';

/** The variables of the run that these tests are part of shall not reach what they start. */
const outside: Record<string, undefined> = Object.fromEntries(
  Object.keys(process.env)
    .filter((name) => /^(npm_|VITEST|NODE_ENV$|NODE_OPTIONS$|INIT_CWD$)/.test(name))
    .map((name) => [name, undefined]),
);

/** An address where nobody listens, in place of the registry. */
const offline = { npm_config_registry: 'http://127.0.0.1:1/', npm_config_fetch_retries: '0' };

/** What somebody has who cloned the repository: every file that was written by hand, nothing else. */
function cloneTo(folder: string): void {
  for (const file of filesIn(root)) {
    const copy = join(folder, shortPath(file));
    mkdirSync(dirname(copy), { recursive: true });
    cpSync(file, copy);
  }
}

function npm(folder: string, args: readonly string[], options: ProgramOptions = {}): Promise<Program> {
  return startProgram('npm', ['--prefix', folder, ...args], {
    ...options,
    // Somewhere else on purpose.
    cwd: '/',
    env: { ...outside, ...options.env },
  });
}

describe('a fresh clone', () => {
  const clone = temporaryFolder('clone').path;
  beforeAll(() => cloneTo(clone));

  it('installs, compiles and starts by one command that passes its arguments on', {
    timeout: 240_000,
  }, async () => {
    const program = await npm(clone, ['start', '--', '--print-config']);
    expect(await program.exited, program.output()).toEqual({ code: 0, signal: null });
    expect(program.stderr()).toContain('Installing the dependencies');
    expect(program.stdout()).toContain('PORT');
  });

  it('needs no network from then on', { timeout: 60_000 }, async () => {
    const program = await npm(clone, ['start', '--', '--print-config'], { env: offline });
    expect(await program.exited, program.output()).toEqual({ code: 0, signal: null });
    expect(program.stderr()).not.toContain('Installing');
  });

  it('serves until SIGTERM, which reaches the app through npm', { timeout: 60_000 }, async () => {
    const program = await npm(clone, ['start'], {
      env: { ...offline, PORT: '0' },
      ready: /http:\/\/127\.0\.0\.1:\d+/,
      readyTimeoutMs: 40_000,
    });
    const [url] = await program.waitFor(/http:\/\/127\.0\.0\.1:\d+/);
    expect((await fetch(`${url}/livez`)).status).toBe(200);
    expect(await program.stop(20_000), program.output()).toEqual({ code: 0, signal: null });
    await expect(fetch(`${url}/livez`)).rejects.toThrow('fetch failed');
  });

  it('repairs an installation that somebody broke off', { timeout: 120_000 }, async () => {
    // As an interrupted installation leaves it: nothing says that it was finished, and links are missing.
    rmSync(join(clone, 'node_modules/.signalbox-installed'));
    rmSync(join(clone, 'node_modules/.modules.yaml'));
    const links = join(clone, 'packages/errors/node_modules');
    rmSync(links, { recursive: true });
    const repaired = await npm(clone, ['run', 'build']);
    expect(await repaired.exited, repaired.output()).toEqual({ code: 0, signal: null });
    expect(existsSync(join(links, 'express/package.json'))).toBe(true);
  });
});

describe('a command that cannot do its work', () => {
  /** The scripts, with a package.json of the test's own. */
  function broken(change: (manifest: Record<string, unknown>) => void): string {
    const { path } = temporaryFolder('broken');
    cpSync(join(root, '.scripts'), join(path, '.scripts'), { recursive: true });
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, unknown>;
    change(manifest);
    writeFileSync(join(path, 'package.json'), JSON.stringify(manifest));
    writeFileSync(join(path, 'pnpm-lock.yaml'), '');
    writeFileSync(join(path, 'pnpm-workspace.yaml'), '');
    return path;
  }

  it('says which Node it needs', async () => {
    const folder = broken((manifest) => (manifest['engines'] = { node: '>=999.1' }));
    const program = await startProgram(process.execPath, [join(folder, '.scripts/start.mjs')]);
    expect((await program.exited).code).toBe(1);
    expect(program.output()).toMatch(
      /^\nSignalbox needs Node >=999\.1, and this is v\d+.* then run the command again\.\n$/s,
    );
  });

  it('says what to do when the dependencies cannot be installed', async () => {
    const folder = broken((manifest) => (manifest['packageManager'] = 'pnpm@0.0.0-none'));
    const program = await startProgram(process.execPath, [join(folder, '.scripts/build.mjs')], {
      env: { ...outside, npm_config_offline: 'true' },
    });
    expect((await program.exited).code).toBe(1);
    expect(program.output()).toContain(
      'If the network was the reason, run the command again when it is back.',
    );
  });
});
