// npm start: installs and compiles what is needed, then becomes the orchestrator.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, install, root, runCommand, StepError } from './steps.mjs';

const main = join(root, 'examples/orchestrator/dist/main.js');

const isReady = await runCommand(async () => {
  await install();
  await build(['examples/orchestrator'], 'the packages and the orchestrator (only what changed)');
  if (existsSync(main)) return true;
  throw new StepError(
    'examples/orchestrator/dist/main.js is missing although the compiler found nothing to do. ' +
      'Remove examples/orchestrator/dist, then run the command again.',
  );
});

if (isReady) {
  // In this very process: signals, exit code and terminal are the app's own, with nothing in between to pass them on.
  process.argv = [process.execPath, main, ...process.argv.slice(2)];
  await import(pathToFileURL(main).href);
}
