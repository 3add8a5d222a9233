import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { startProgram } from '../support/program.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { runToEnd } from './consumer.js';
import { firstBlockUnder } from './markdown.js';
import { packages, root, shortPath } from './workspace.js';

/** How long a program that stays alive is watched for errors. */
const WATCH_MS = 2_500;

/**
 * A folder in which a program finds every package of the workspace, compiled as it is published, and whatever a
 * README may tell its reader to install.
 */
function makeFolder(): string {
  mkdirSync(join(root, 'test/.run'), { recursive: true });
  const folder = mkdtempSync(join(root, 'test/.run/use-'));
  mkdirSync(join(folder, 'node_modules/@signalbox'), { recursive: true });
  for (const { short, folder: target } of packages) {
    symlinkSync(target, join(folder, 'node_modules/@signalbox', short));
  }
  return folder;
}

/** Puts the package's own dependencies, development ones too, beside the program. */
function linkDependencies(folder: string, from: string): void {
  const modules = join(from, 'node_modules');
  if (!existsSync(modules)) return;
  for (const entry of readdirSync(modules)) {
    if (entry === '@signalbox' || entry.startsWith('.')) continue;
    const names = entry.startsWith('@')
      ? readdirSync(join(modules, entry)).map((name) => `${entry}/${name}`)
      : [entry];
    for (const name of names) {
      const link = join(folder, 'node_modules', name);
      if (existsSync(link)) continue;
      mkdirSync(join(link, '..'), { recursive: true });
      symlinkSync(join(modules, name), link);
    }
  }
}

let folder = '';
let redis: RedisServer | undefined;
let postgres: PostgresServer | undefined;
beforeAll(async () => {
  [redis, postgres] = await Promise.all([startRedis(), startPostgres()]);
  folder = makeFolder();
  for (const { folder: from } of packages) linkDependencies(folder, from);
  linkDependencies(folder, join(root, 'test'));
});
afterAll(async () => {
  await Promise.all([redis?.stop(), postgres?.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

/** Each README with the heading under which its first program stands. */
const readmes: readonly { name: string; file: string; heading: string }[] = [
  { name: 'signalbox', file: join(root, 'README.md'), heading: 'Five lines in an app that is there' },
  ...packages.map(({ short, folder: from }) => ({
    name: short,
    file: join(from, 'README.md'),
    heading: 'Use',
  })),
];

describe.concurrent('the first program of a README', () => {
  it.each(readmes.map((readme) => [readme.name, readme] as const))(
    'of %s runs when it is pasted',
    { timeout: 20_000 },
    async (name, readme) => {
      const file = join(folder, `${name}.mjs`);
      writeFileSync(file, programOf(readme));
      const program = await startProgram(process.execPath, [file], {
        name: `the program in the README of ${name}`,
        cwd: folder,
        env: {
          PORT: '0',
          REDIS_URL: redis?.url,
          DATABASE_URL: postgres?.url,
          NODE_ENV: undefined,
          VITEST: undefined,
          NODE_OPTIONS: undefined,
        },
      });
      const watched = new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), WATCH_MS));
      const exit = await Promise.race([program.exited, watched]);
      // Either it came to its end, or it serves until it is told to stop.
      if (exit) expect(exit, program.output()).toEqual({ code: 0, signal: null });
      else expect(await program.stop(5_000), program.output()).not.toMatchObject({ signal: 'SIGKILL' });
      expect(program.stderr()).not.toMatch(/error|warning|unhandled|exception/i);
    },
  );

  it('is right in the eyes of TypeScript, whichever the package', { timeout: 60_000 }, async () => {
    for (const readme of readmes) writeFileSync(join(folder, `${readme.name}.mts`), programOf(readme));
    const compilerOptions = {
      module: 'nodenext',
      target: 'es2023',
      lib: ['es2023'],
      types: ['node'],
      strict: true,
      // The programs run as JavaScript too, where no parameter says what it is.
      noImplicitAny: false,
      skipLibCheck: true,
      noEmit: true,
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.mts'] }));
    await runToEnd(join(root, 'node_modules/.bin/tsc'), ['-p', folder], folder);
  });
});

function programOf({ file, heading }: { file: string; heading: string }): string {
  const block = firstBlockUnder(readFileSync(file, 'utf8'), heading, ['ts', 'js']);
  if (block === undefined) throw new Error(`${shortPath(file)} has no block of code under "## ${heading}"`);
  if (/listen\(|serve\(/.test(block) && !/process\.env\.PORT|listen\(0\b|port: 0\b/.test(block)) {
    throw new Error(
      `The program in ${shortPath(file)} listens on a fixed port; let it honour process.env.PORT`,
    );
  }
  return block;
}
