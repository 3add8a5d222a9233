// npm run build: installs, then compiles every package and example.

import { build, compiledFolders, install, runCommand } from './steps.mjs';

await runCommand(async () => {
  await install();
  await build(compiledFolders(), 'every package and example (only what changed)');
});
