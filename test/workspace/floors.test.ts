import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { importsOf, packages, root } from './workspace.js';

/** `| 1 | [`logging`](…) | … |` in docs/architecture.md. */
function floorsOfTheTable(): Map<string, number> {
  const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
  const rows = page.matchAll(/^\| *(\d) *\| *\[?`([a-z-]+)`/gm);
  return new Map([...rows].map(([, floor, name]) => [`@signalbox/${name}`, Number(floor)]));
}

/** The lowest floor on which a package can stand: one above the highest that it depends on. */
function lowestFloor(name: string, dependencies: ReadonlyMap<string, readonly string[]>): number {
  const below = (dependencies.get(name) ?? []).map((dependency) => lowestFloor(dependency, dependencies));
  return below.length === 0 ? 0 : Math.max(...below) + 1;
}

const table = floorsOfTheTable();
const dependencies = new Map(
  packages.map(({ name, manifest }) => [
    name,
    Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }).filter((other) =>
      other.startsWith('@signalbox/'),
    ),
  ]),
);

describe('the floors of docs/architecture.md', () => {
  it('name exactly the packages that exist', () => {
    expect([...table.keys()].toSorted()).toEqual(packages.map(({ name }) => name).toSorted());
  });

  it('are no lower than what the packages are built on allows', () => {
    const tooLow = packages.filter(({ name }) => lowestFloor(name, dependencies) > (table.get(name) ?? 0));
    expect(tooLow.map(({ name }) => `${name} needs floor ${lowestFloor(name, dependencies)}`)).toEqual([]);
  });

  it.each(packages.map(({ name }) => name))('%s depends on lower floors only', (name) => {
    const floor = table.get(name) ?? 0;
    const wrong = (dependencies.get(name) ?? []).filter((other) => (table.get(other) ?? Infinity) >= floor);
    expect(wrong).toEqual([]);
  });

  it.each(packages.map(({ name, folder }) => [name, folder] as const))(
    '%s declares what it imports, and no more',
    (name, folder) => {
      const imported = [...importsOf(folder)].filter((other) => other !== name).toSorted();
      expect((dependencies.get(name) ?? []).toSorted()).toEqual(imported);
    },
  );
});
