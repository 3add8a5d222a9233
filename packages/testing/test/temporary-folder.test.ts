import { once } from 'node:events';
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { temporaryFolder } from '../src/index.js';

const require = createRequire(import.meta.url);

// Node's realpathSync with a cache, which require() has, breaks off where the last file that was looked at is a socket.
it('a temporary folder is removed with a socket in it, and leaves require as it was: it follows links', async () => {
  const packages = temporaryFolder('linked');
  onTestFinished(() => packages.remove());
  mkdirSync(join(packages.path, 'real'));
  symlinkSync('real', join(packages.path, 'link'));
  const requireByLink = (name: string): string => {
    writeFileSync(join(packages.path, `real/${name}.cjs`), 'module.exports = module.filename;');
    return (require(join(packages.path, `link/${name}.cjs`)) as string).slice(packages.path.length);
  };
  expect(requireByLink('before')).toBe('/real/before.cjs');

  const folder = temporaryFolder('socket');
  const server = createServer().listen(join(folder.path, 'a.sock'));
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  folder.remove();
  expect(existsSync(folder.path)).toBe(false);
  expect(requireByLink('after')).toBe('/real/after.cjs');
});
