// npm run docs: installs, then builds the pages of docs/ into docs/.vitepress/dist. Arguments: dev (serves them while
// they are written) or preview.

import { join } from 'node:path';
import { install, root, run, runCommand, StepError } from './steps.mjs';

await runCommand(async () => {
  await install();
  const [task = 'build', ...rest] = process.argv.slice(2);
  const vitepress = join(root, 'docs/node_modules/vitepress/bin/vitepress.js');
  if (!(await run(process.execPath, [vitepress, task, 'docs', ...rest], { stdout: 'inherit' }))) {
    throw new StepError('The pages could not be built; the reason stands above.');
  }
});
