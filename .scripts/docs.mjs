// npm run docs: installs and compiles, then builds the pages of docs/ into docs/.vitepress/dist, with the reference of
// the packages in api/. Arguments: dev (serves the pages while they are written) or preview.

import { join } from 'node:path';
import { build, compiledFolders, install, root, run, runCommand, StepError } from './steps.mjs';

await runCommand(async () => {
  await install();
  const [task = 'build', ...rest] = process.argv.slice(2);
  const vitepress = join(root, 'docs/node_modules/vitepress/bin/vitepress.js');
  if (!(await run(process.execPath, [vitepress, task, 'docs', ...rest], { stdout: 'inherit' }))) {
    throw new StepError('The pages could not be built; the reason stands above.');
  }
  if (task !== 'build') return;
  await build(compiledFolders(), 'the packages');
  const typedoc = join(root, 'docs/node_modules/typedoc/bin/typedoc');
  const options = ['--options', 'docs/typedoc.json', '--logLevel', 'Warn'];
  if (!(await run(process.execPath, [typedoc, ...options], { stdout: 'inherit' }))) {
    throw new StepError('The reference could not be made; the reason stands above.');
  }
});
