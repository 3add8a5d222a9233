import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/keeper.js';
import { startProgram } from '../support/program.js';
import { installTarballs, packAll, runToEnd } from './consumer.js';
import { packages, root } from './workspace.js';

let tarballs = new Map<string, string>();
beforeAll(async () => {
  tarballs = await packAll(temporaryFolder('tarballs').path);
}, 120_000);

const tool = (name: string): string => join(root, 'node_modules/.bin', name);
const tarballOf = (name: string): string => tarballs.get(name) ?? '';

describe.each(packages.map((each) => [each.name, each] as const))(
  'the tarball of %s',
  (name, { folder, manifest }) => {
    it('holds what is compiled from its sources, its README and its licence, and nothing else', async () => {
      const list = await runToEnd('tar', ['-tzf', tarballOf(name)], root);
      const files = list
        .trim()
        .split('\n')
        .map((file) => file.replace('package/', ''));
      expect(files).toEqual(
        expect.arrayContaining(['LICENSE', 'README.md', 'package.json', 'dist/index.js']),
      );

      const bins = Object.values(manifest.bin ?? {}).map((file) => file.replace('./', ''));
      const odd = files.filter((file) => {
        if (['LICENSE', 'README.md', 'package.json', ...bins].includes(file) || file.startsWith('src/'))
          return false;
        const source = /^dist\/(.+?)\.(?:js|d\.ts)(?:\.map)?$/.exec(file)?.[1];
        // What was compiled from a source that is gone would be shipped for ever.
        return source === undefined || !existsSync(join(folder, 'src', `${source}.ts`));
      });
      expect(odd).toEqual([]);
    });

    it('satisfies publint', async () => {
      const tarball = new Uint8Array(readFileSync(tarballOf(name))).buffer;
      const { messages } = await publint({ pack: { tarball }, strict: true });
      expect(messages).toEqual([]);
    });

    it('has types that resolve as its code does (arethetypeswrong)', { timeout: 60_000 }, async () => {
      const tarball = createPackageFromTarballData(new Uint8Array(readFileSync(tarballOf(name))));
      const { types, ...analysis } = await checkPackage(tarball);
      expect(types).toMatchObject({ kind: 'included' });
      // ES modules alone: what cannot read them is not looked at.
      const problems = 'problems' in analysis ? analysis.problems : [];
      expect(
        problems.filter(
          (problem) => !('resolutionKind' in problem) || !/node10|cjs/.test(problem.resolutionKind),
        ),
      ).toEqual([]);
    });
  },
);

describe('the tarballs, installed outside the workspace by npm', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await installTarballs(tarballs);
  }, 240_000);

  it('carry the minimal example', async () => {
    copyFileSync(join(root, 'examples/minimal/app.js'), join(folder, 'app.js'));
    const app = await startProgram(process.execPath, ['app.js'], {
      name: 'examples/minimal',
      cwd: folder,
      env: { PORT: '0', VITEST: undefined, NODE_ENV: undefined },
      ready: /Listening on \S+/,
    });
    const [, url = ''] = await app.waitFor(/Listening on (\S+)/);
    const missing = await fetch(`${url}/books/7`);
    expect(missing.status).toBe(404);
    expect(await missing.json()).toMatchObject({
      error: {
        code: 404,
        type: 'not_found',
        message: 'No such book',
        requestId: missing.headers.get('x-request-id'),
      },
    });
    expect(await app.stop(10_000)).toEqual({ code: 0, signal: null });
    expect(app.stderr()).toBe('');
  });

  it('load with require(), too', async () => {
    const names = JSON.stringify(packages.map(({ name }) => name));
    writeFileSync(
      join(folder, 'require.cjs'),
      `for (const name of ${names}) console.log(name, Object.keys(require(name)).length);`,
    );
    const lines = (await runToEnd(process.execPath, ['require.cjs'], folder)).trim().split('\n');
    expect(lines).toHaveLength(packages.length);
    expect(lines.filter((line) => line.endsWith(' 0'))).toEqual([]);
  });

  it('have types that hold in a strict project that does not skip checking them', {
    timeout: 60_000,
  }, async () => {
    const imports = packages.map(({ name, short }) => `export * as ${camelCase(short)} from '${name}';`);
    writeFileSync(join(folder, 'index.ts'), `${imports.join('\n')}\n`);
    const compilerOptions = {
      module: 'nodenext',
      target: 'es2023',
      lib: ['es2023'],
      types: ['node'],
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: false,
      noEmit: true,
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['index.ts'] }));
    await runToEnd(tool('tsc'), ['-p', folder], folder);
  });
});

function camelCase(name: string): string {
  return name.replaceAll(/-([a-z])/g, (_match, letter: string) => letter.toUpperCase());
}
