// npm run bench: compiles, then runs test/bench/main.ts with the arguments given.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { build, compiledFolders, install, root, run, runCommand, StepError } from './steps.mjs';

await runCommand(async () => {
  await install();
  await build([...compiledFolders(), 'test/tsconfig.programs.json'], 'the packages and the benchmarks');

  const main = join(root, 'test/dist/bench/main.js');
  if (!existsSync(main)) throw new StepError('There is no test/bench/main.ts to run.');
  if (!(await run(process.execPath, [main, ...process.argv.slice(2)], { stdout: 'inherit' }))) {
    throw new StepError('The benchmark failed; the reason stands above.');
  }
});
