import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Requires a module that stands behind a link, as packages stand in node_modules, and says from where below its folder
 * it was loaded: `/real/module.cjs`, as long as `require` follows links. Node's does not after this process has looked at
 * a pipe or a socket: its realpathSync with a cache then breaks off at the first folder that it knows already. So the first
 * call of a process proves nothing.
 */
export function requireByLink(): string {
  const folder = mkdtempSync(join(tmpdir(), 'signalbox-linked-'));
  mkdirSync(join(folder, 'real'));
  symlinkSync('real', join(folder, 'link'));
  writeFileSync(join(folder, 'real/module.cjs'), 'module.exports = module.filename;');
  const from = createRequire(import.meta.url)(join(folder, 'link/module.cjs')) as string;
  rmSync(folder, { recursive: true });
  return from.slice(folder.length);
}
