// Logs, and requires a module by a link to its folder, as packages stand in node_modules; says where it was loaded from.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '../../dist/index.js';

const require = createRequire(import.meta.url);
const folder = mkdtempSync(join(tmpdir(), 'signalbox-logging-'));
mkdirSync(join(folder, 'real'));
symlinkSync('real', join(folder, 'link'));
for (const name of ['before', 'after']) {
  writeFileSync(join(folder, `real/${name}.cjs`), 'module.exports = module.filename;');
}

const before = require(join(folder, 'link/before.cjs'));
createLogger().info('a line');
const after = require(join(folder, 'link/after.cjs'));
createLogger().info({ loaded: [before, after].map((path) => path.slice(folder.length)) }, 'loaded');
rmSync(folder, { recursive: true });
