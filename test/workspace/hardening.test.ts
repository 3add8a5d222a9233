import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { filesIn, root, shortPath } from './workspace.js';

/** Packages that the orchestrator does not ask Redis with. */
const OTHERS = /^packages\/(?:doctor|testing)\//;

/** `link.command('GET', …)` and, in scripts, `redis.call('GET', …)`. */
const SENT = /\b(?:command|commandBytes|p?call)\(\s*'([A-Z]+)'/g;

it('the Redis user of the guide may send every command that the packages send', () => {
  const guide = readFileSync(join(root, 'docs/guide/hardening.md'), 'utf8');
  const [, rights = ''] = /ACL SETUSER signalbox (.+?)\nredis-cli/s.exec(guide) ?? [];
  const allowed = new Set([...rights.matchAll(/\+([a-z]+)/g)].map(([, command = '']) => command));

  const sent = new Map<string, string>();
  for (const file of filesIn(root).filter((each) => /packages\/[\w-]+\/src\/.*\.ts$/.test(each))) {
    const path = shortPath(file);
    if (OTHERS.test(path)) continue;
    for (const [, command = ''] of readFileSync(file, 'utf8').matchAll(SENT)) {
      sent.set(command.toLowerCase(), path);
    }
  }
  expect(sent.size).toBeGreaterThan(25);
  expect([...sent].filter(([command]) => !allowed.has(command))).toEqual([]);
});
