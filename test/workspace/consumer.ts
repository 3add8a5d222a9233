import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { temporaryFolder } from '../support/keeper.js';
import { packages, root, type Manifest } from './workspace.js';

/** Runs a program to its end and returns what it printed on stdout; rejects with all its output where it fails. */
export async function runToEnd(command: string, args: readonly string[], cwd: string): Promise<string> {
  const env = { ...process.env, CI: 'true', NODE_OPTIONS: undefined, NODE_ENV: undefined, VITEST: undefined };
  try {
    const options = { cwd, env, timeout: 240_000, maxBuffer: 64 * 1024 * 1024 };
    const { stdout } = await promisify(execFile)(command, args, options);
    return stdout;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`${command} ${args.join(' ')} failed:\n${stdout}${stderr}`, { cause: error });
  }
}

/** Packs every package as `pnpm publish` would, and returns the tarballs by package name. */
export async function packAll(folder: string): Promise<Map<string, string>> {
  for (const { folder: source, name } of packages) {
    if (existsSync(join(source, 'dist/index.js'))) continue;
    throw new Error(`${name} is not compiled, so that there is nothing to pack; run "npm run build" first`);
  }
  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    packageManager: string;
  };
  const pack = ['-r', '--filter', './packages/*', 'pack', '--pack-destination', folder];
  await runToEnd('npx', ['-y', packageManager, ...pack], root);
  return new Map(
    packages.map(({ name, manifest }) => {
      const file = `${name.replace('@', '').replace('/', '-')}-${manifest.version}.tgz`;
      return [name, join(folder, file)];
    }),
  );
}

/** An empty project outside the workspace, with every tarball installed by npm as somebody else would. */
export async function installTarballs(tarballs: ReadonlyMap<string, string>): Promise<string> {
  const { path: folder } = temporaryFolder('consumer');
  const files = Object.fromEntries([...tarballs].map(([name, file]) => [name, `file:${file}`]));
  const manifest = {
    name: 'consumer',
    private: true,
    type: 'module',
    dependencies: { ...files, express: versionInTests('express') },
    devDependencies: {
      '@types/express': versionInTests('@types/express'),
      '@types/node': versionInTests('@types/node'),
    },
    // What one tarball asks of another is the tarball, not something of that name on the registry.
    overrides: Object.fromEntries([...tarballs.keys()].map((name) => [name, `$${name}`])),
  };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest, null, 2));
  await runToEnd(
    'npm',
    ['install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'],
    folder,
  );
  return folder;
}

/** The version that the tests of this workspace run on. */
function versionInTests(name: string): string {
  const manifest = readFileSync(join(root, 'test/node_modules', name, 'package.json'), 'utf8');
  return (JSON.parse(manifest) as Manifest).version;
}
