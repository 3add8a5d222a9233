// npm test: installs, compiles, runs every gate and every test, and ends with the line "N passed, N failed".
//
//   npm test                      everything but *.full.test.ts
//   npm run test:full             everything
//   npm test -- packages/errors   the gates, and the tests whose path contains that

import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { compile, compiledFolders, install, root, run, runCommand, say } from './steps.mjs';

const full = process.argv.includes('--full');
const filters = process.argv.slice(2).filter((argument) => argument !== '--full');
const results = join(root, 'test/.run/results.json');
const running = join(root, 'test/.run/running.txt');
/** Far more than they take: who is still running then will not end by itself. */
const limitMinutes = full ? 80 : 30;

/**
 * What must hold besides the tests; each counts as one.
 *
 * @type {[string, (output: (text: string) => void) => Promise<boolean>][]}
 */
const gates = [
  ['the packages and examples compile', (output) => compile(compiledFolders(), { output })],
  ['the tests type-check', (output) => compile(['test', 'test/tsconfig.programs.json'], { output })],
  [
    'oxlint finds nothing',
    (output) => tool('oxlint/bin/oxlint', ['--type-aware', '--deny-warnings'], output),
  ],
  ['every file is formatted', (output) => tool('@biomejs/biome/bin/biome', ['format'], output)],
  ['knip finds nothing unused', (output) => tool('knip/bin/knip.js', ['--no-config-hints'], output)],
  ['sherif finds the manifests consistent', (output) => tool('sherif/index.js', [], output)],
];

await runCommand(async () => {
  await install();
  const count = { passed: 0, failed: 0 };

  for (const [name, check] of gates) {
    const started = performance.now();
    let output = '';
    const ok = await check((text) => (output += text));
    process.stdout.write(
      `${ok ? '✓' : '✗'} ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)\n`,
    );
    if (!ok) process.stdout.write(`${output.trimEnd()}\n\n`);
    count[ok ? 'passed' : 'failed'] += 1;
  }

  await installServers();
  const tests = await runTests();
  count.passed += tests.passed;
  count.failed += tests.failed;

  process.stdout.write(`\n${count.passed} passed, ${count.failed} failed\n`);
  if (count.failed > 0) process.exitCode = 1;
});

/** Runs a tool of the root's node_modules on Node, so that no shell has to find it. */
function tool(program, args, output) {
  return run(process.execPath, [join(root, 'node_modules', program), ...args], { output });
}

/** The real servers that tests start: all that are missing, with one call of apt-get. */
async function installServers() {
  const module = join(root, 'test/dist/support/system-packages.js');
  if (!existsSync(module)) return;
  const { installMissingPrograms } = await import(pathToFileURL(module).href);
  await installMissingPrograms(say);
}

async function runTests() {
  mkdirSync(join(root, 'test/.run'), { recursive: true });
  for (const file of [results, running]) rmSync(file, { force: true });
  say(full ? 'Running every test' : 'Running the tests (npm run test:full runs the long ones too)');

  const reporters = ['default', 'json', join(root, '.scripts/running-reporter.mjs')];
  const args = ['run', '--config', 'test/vitest.config.ts', ...reporters.map((name) => `--reporter=${name}`)];
  const ok = await run(
    process.execPath,
    [join(root, 'node_modules/vitest/vitest.mjs'), ...args, `--outputFile.json=${results}`, ...filters],
    {
      env: { SIGNALBOX_RUNNING_FILES: running, ...(full && { SIGNALBOX_FULL: '1' }) },
      output: (text) => process.stdout.write(text),
      limitMs: limitMinutes * 60_000,
    },
  );
  if (existsSync(results)) return countTests(JSON.parse(readFileSync(results, 'utf8')), ok);

  const files = existsSync(running) ? readFileSync(running, 'utf8') : '';
  process.stdout.write(
    `✗ the tests did not come to an end${files && `; these were running, one of them hangs:\n${files}`}\n`,
  );
  return { passed: 0, failed: 1 };
}

/** Adds up what vitest reports, and what it reports only by its exit code. */
function countTests(report, ok) {
  const passed = report.numPassedTests;
  let failed = report.numFailedTests;
  const fail = (sentence) => {
    process.stdout.write(`✗ ${sentence}\n`);
    failed += 1;
  };

  for (const file of report.testResults) {
    // A file that cannot be loaded, or whose hooks fail, has no failed test to show for it.
    const counted = file.assertionResults.some((test) => test.status === 'failed');
    if (file.status === 'failed' && !counted) fail(`${file.name} failed outside its tests`);
  }
  if (report.numTotalTests === 0) fail('no test ran');
  const skipped = report.numPendingTests + report.numTodoTests;
  if (skipped > 0 && filters.length === 0)
    fail(`${skipped} tests were skipped; a test that cannot run has to say why`);
  if (!ok && failed === 0) fail('vitest failed outside the tests; the reason stands above');
  return { passed, failed };
}
