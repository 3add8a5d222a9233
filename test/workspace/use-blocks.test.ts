import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { startProgram } from '../support/program.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { firstBlockUnder } from './markdown.js';
import { programFolder, typeCheck } from './program-folder.js';
import { packages, root, shortPath } from './workspace.js';

/** How long a program that stays alive is watched for errors. */
const WATCH_MS = 2_500;

let folder = '';
let redis: RedisServer | undefined;
let postgres: PostgresServer | undefined;
beforeAll(async () => {
  [redis, postgres] = await Promise.all([startRedis(), startPostgres()]);
  folder = programFolder();
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
    await typeCheck(folder, { noImplicitAny: false });
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
