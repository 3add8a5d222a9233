import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { filesIn, packages, root, shortPath, type Manifest } from './workspace.js';

interface TypeScriptProject {
  extends: string;
  include: string[];
  references?: { path: string }[];
}

const readProject = (file: string): TypeScriptProject =>
  JSON.parse(readFileSync(file, 'utf8')) as TypeScriptProject;

const referencesOf = (file: string): string[] =>
  (readProject(file).references ?? []).map(({ path }) => basename(path)).toSorted();

describe.each(packages.map((each) => [each.name, each] as const))(
  '%s',
  (name, { short, folder, manifest }) => {
    it('has a manifest that is ready to be published', () => {
      expect(manifest).toMatchObject({
        name: `@signalbox/${short}`,
        version: packages[0]?.manifest.version,
        license: 'MIT',
        type: 'module',
        engines: { node: '>=20.19' },
        exports: { '.': { types: './dist/index.d.ts', default: './dist/index.js' } },
        repository: { type: 'git', directory: `packages/${short}` },
        publishConfig: { access: 'public', provenance: true },
      });
      expect(manifest.private).toBeUndefined();
      expect(manifest.description).toMatch(/^[A-Z].{10,100}[^.]$/);
      expect(manifest).toHaveProperty('sideEffects');
    });

    it('asks nothing of URL.canParse, which Node 20 and 22 get wrong once it is hot', () => {
      const asking = filesIn(join(folder, 'src')).filter((file) =>
        readFileSync(file, 'utf8').includes('URL.canParse('),
      );
      expect(asking.map(shortPath)).toEqual([]);
    });

    it('ships code, types, sources for the maps, and the licence', () => {
      expect(manifest.files).toEqual(
        expect.arrayContaining(['dist', '!dist/*.tsbuildinfo', 'src', 'LICENSE']),
      );
      expect(readFileSync(join(folder, 'LICENSE'), 'utf8')).toBe(readFileSync(join(root, 'LICENSE'), 'utf8'));
    });

    it('takes Express from the app, never its own', () => {
      expect(manifest.dependencies ?? {}).not.toHaveProperty('express');
      expect(manifest.dependencies ?? {}).not.toHaveProperty('@types/express');
      // The types are for those who write TypeScript.
      if (manifest.peerDependencies?.['@types/express'] !== undefined) {
        expect(manifest.peerDependenciesMeta).toMatchObject({ '@types/express': { optional: true } });
      }
    });

    it('refers in tsconfig.json to the packages that it depends on', () => {
      const own = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })
        .filter((other) => other.startsWith('@signalbox/'))
        .map((other) => other.replace('@signalbox/', ''));
      expect(referencesOf(join(folder, 'tsconfig.json'))).toEqual(own.toSorted());
    });

    it('has a README that begins with what it does and has the usual parts in order', () => {
      const readme = readFileSync(join(folder, 'README.md'), 'utf8');
      expect(readme).toMatch(new RegExp(`^# ${name}\n\n[A-Z\`]`));
      const parts = [...readme.matchAll(/^## (.+)$/gm)].map(([, title]) => title ?? '');
      const usual = ['Install', 'Use', 'Behaviour', 'Limits'];
      expect(parts.filter((title) => usual.includes(title))).toEqual(usual);
      expect(readme).toMatch(new RegExp(`npm install (--save-dev )?${name}\\b`));
      expect(readme.split('\n').length).toBeLessThanOrEqual(140);
      expect(readme).not.toMatch(/!\[/);
    });

    it('exports named things only, all of them written out in index.ts', () => {
      const index = readFileSync(join(folder, 'src/index.ts'), 'utf8');
      expect(index).not.toMatch(/export \*|export default|export const|export function/);
    });

    it('has sources that can be read in one go', () => {
      const long = filesIn(join(folder, 'src')).filter(
        (file) => readFileSync(file, 'utf8').split('\n').length > 350,
      );
      expect(long.map(shortPath)).toEqual([]);
    });
  },
);

it('the changelog has an entry for the version that all packages share', () => {
  const changelog = readFileSync(join(root, 'CHANGELOG.md'), 'utf8');
  expect(changelog).toContain(`\n## ${packages[0]?.manifest.version}\n`);
});

describe('the projects in test/', () => {
  const all = packages.map(({ short }) => short);

  it.each(['tsconfig.json', 'tsconfig.programs.json'])('%s refers to every package', (file) => {
    expect(referencesOf(join(root, 'test', file))).toEqual(expect.arrayContaining(all));
  });

  it('have every package at hand', () => {
    const { devDependencies } = JSON.parse(readFileSync(join(root, 'test/package.json'), 'utf8')) as Manifest;
    expect(Object.keys(devDependencies ?? {})).toEqual(
      expect.arrayContaining(packages.map(({ name }) => name)),
    );
  });
});
