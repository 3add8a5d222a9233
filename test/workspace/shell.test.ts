import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { requireProgram } from '../support/system-packages.js';
import { filesIn, root, shortPath } from './workspace.js';

const scripts = filesIn(root).filter((file) => /^#!\S*(?:\/| )(?:ba)?sh\n/.test(firstBytesOf(file)));

function firstBytesOf(file: string): string {
  return readFileSync(file, 'latin1').slice(0, 40);
}

it('there are scripts to look at', () => {
  expect(scripts.map(shortPath)).toContain('examples/orchestrator/deploy/start-production.sh');
});

it.each(scripts.map((file) => [shortPath(file), file]))(
  'shellcheck finds no fault with %s',
  async (_name, file) => {
    await promisify(execFile)(await requireProgram('shellcheck'), [file]);
  },
);
