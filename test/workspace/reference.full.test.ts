import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../support/keeper.js';
import { runToEnd } from './consumer.js';
import { filesIn, packages, root } from './workspace.js';

it('the reference has every type that it mentions, and every link of it leads somewhere', {
  timeout: 240_000,
}, async () => {
  const { path } = temporaryFolder('reference');
  const typedoc = join(root, 'docs/node_modules/typedoc/bin/typedoc');
  // A warning is a failure; docs/typedoc.json says so.
  await runToEnd(process.execPath, [typedoc, '--options', 'docs/typedoc.json', '--out', path], root);
  const modules = filesIn(join(path, 'modules')).filter((file) => file.endsWith('.html'));
  expect(modules).toHaveLength(packages.length);
});
