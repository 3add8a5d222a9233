// npm run release: makes the next version, and publishes it.
//
//   npm run release -- --prepare   turns the files of .changeset into version numbers and an entry of CHANGELOG.md
//   npm run release -- --dry-run   builds afresh, checks, and shows what would be published
//   npm run release                the same, and publishes; in CI with provenance (npm's trusted publishing)

import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  build,
  compiledFolders,
  foldersIn,
  install,
  readJson,
  root,
  run,
  runCommand,
  runPnpm,
  say,
  StepError,
} from './steps.mjs';

await runCommand(async () => {
  const options = readOptions();
  await install();
  await (options.prepare ? prepare() : publish(options['dry-run']));
});

function readOptions() {
  try {
    const boolean = { type: 'boolean', default: false };
    return parseArgs({ options: { prepare: boolean, 'dry-run': boolean } }).values;
  } catch (error) {
    throw new StepError(`${error.message} There are --prepare and --dry-run.`);
  }
}

async function prepare() {
  const changes = readdirSync(join(root, '.changeset'))
    .filter((file) => file.endsWith('.md') && file !== 'README.md')
    .map((file) =>
      readFileSync(join(root, '.changeset', file), 'utf8')
        .replace(/^---\n[\s\S]*?\n---\n/, '')
        .trim(),
    );
  if (changes.length === 0) throw new StepError('There is nothing to release: .changeset holds no change.');

  await must(changeset('version'), 'The versions could not be raised; the reason stands above.');
  // changesets writes JSON in a style of its own.
  const manifests = foldersIn('packages').map((folder) => `${folder}/package.json`);
  await must(
    node('@biomejs/biome/bin/biome', 'format', '--write', ...manifests),
    'The manifests could not be formatted; the reason stands above.',
  );

  const { version } = readJson('packages/signals/package.json');
  const lines = changes.map((change) => `- ${change.replaceAll('\n', '\n  ')}\n`);
  const changelog = readFileSync(join(root, 'CHANGELOG.md'), 'utf8');
  const place = changelog.indexOf('\n## ') + 1;
  writeFileSync(
    join(root, 'CHANGELOG.md'),
    `${changelog.slice(0, place)}## ${version}\n\n${lines.join('')}\n${changelog.slice(place)}`,
  );
  say(`Prepared ${version}: read CHANGELOG.md, commit, then run "npm run release -- --dry-run"`);
}

async function publish(isDryRun) {
  const { version } = readJson('packages/signals/package.json');
  if (!readFileSync(join(root, 'CHANGELOG.md'), 'utf8').includes(`\n## ${version}\n`)) {
    throw new StepError(
      `CHANGELOG.md has no entry for ${version}; write it, or run "npm run release -- --prepare".`,
    );
  }
  say('Removing what was compiled before, so that nothing old is published');
  for (const folder of compiledFolders())
    rmSync(join(root, folder, 'dist'), { recursive: true, force: true });
  await build(compiledFolders(), 'every package afresh');

  // A dry run checks what is published; a release checks everything.
  const tests = isDryRun ? ['test/workspace'] : [];
  await must(
    run(process.execPath, [join(root, '.scripts/test.mjs'), ...tests]),
    'The checks failed, so nothing is published; the reasons stand above.',
  );

  const flags = isDryRun ? ['--dry-run', '--no-git-checks'] : [];
  say(isDryRun ? `Showing what would be published as ${version}` : `Publishing ${version}`);
  await must(
    runPnpm(['-r', '--filter', './packages/*', 'publish', '--access', 'public', ...flags]),
    'The packages could not be published; the reason stands above. Those that were are skipped when this is run again.',
  );
}

function changeset(...args) {
  return node('@changesets/cli/bin.js', ...args);
}

function node(program, ...args) {
  return run(process.execPath, [join(root, 'node_modules', program), ...args]);
}

async function must(step, sentence) {
  if (!(await step)) throw new StepError(sentence);
}
