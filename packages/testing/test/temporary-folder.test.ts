import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { requireByLink } from '../../../test/support/linked-module.js';
import { temporaryFolder } from '../src/index.js';

it('a temporary folder is removed with a socket in it, and leaves require as it was: it follows links', async () => {
  expect(requireByLink()).toBe('/real/module.cjs');
  const folder = temporaryFolder('socket');
  const server = createServer().listen(join(folder.path, 'a.sock'));
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  folder.remove();
  expect(existsSync(folder.path)).toBe(false);
  expect(requireByLink()).toBe('/real/module.cjs');
});
