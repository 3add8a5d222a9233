// npm run bench, npm run bench:outage: compiles, then runs that program of test/bench with the arguments given.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { build, compiledFolders, install, root, run, runCommand, StepError } from './steps.mjs';

await runCommand(async () => {
  await install();
  await build([...compiledFolders(), 'test/tsconfig.programs.json'], 'the packages and the benchmarks');

  const [name = 'main', ...args] = process.argv.slice(2);
  const program = join(root, 'test/dist/bench', `${name}.js`);
  if (!existsSync(program)) throw new StepError(`There is no test/bench/${name}.ts to run.`);
  if (!(await run(process.execPath, [program, ...args], { stdout: 'inherit' }))) {
    throw new StepError('The benchmark failed; the reason stands above.');
  }
});
