import type { ModuleSpec } from './module.js';

/**
 * Checks that the modules fit together.
 *
 * @throws {TypeError} naming the modules when a name or a prefix is taken twice, a prefix hides another, a
 * dependency is unknown, or dependencies go in a circle
 */
export function checkPlan(specs: readonly ModuleSpec[]): void {
  const byName = new Map<string, ModuleSpec>();
  for (const spec of specs) {
    if (byName.has(spec.name)) throw new TypeError(`modules: there are two modules called "${spec.name}"`);
    byName.set(spec.name, spec);
  }
  checkPrefixes(specs);
  for (const { name, dependsOn } of specs) {
    for (const other of dependsOn) {
      if (byName.has(other)) continue;
      const names = [...byName.keys()].join(', ');
      throw new TypeError(
        `modules: "${name}" depends on "${other}", which is none of the modules (${names})`,
      );
    }
  }
  const circle = findCircle(byName);
  if (circle !== undefined) {
    throw new TypeError(
      `modules: dependencies go in a circle: ${circle.map((name) => `"${name}"`).join(' → ')}`,
    );
  }
}

function checkPrefixes(specs: readonly ModuleSpec[]): void {
  for (const [index, later] of specs.entries()) {
    for (const earlier of specs.slice(0, index)) {
      if (!covers(earlier.prefix, later.prefix)) continue;
      if (covers(later.prefix, earlier.prefix)) {
        throw new TypeError(
          `modules: "${earlier.name}" and "${later.name}" have the same prefix, ${describe(earlier, later)}`,
        );
      }
      throw new TypeError(
        `modules: the prefix ${earlier.prefix} of "${earlier.name}" covers ${later.prefix} of "${later.name}": while the one is down it would answer for the other. List "${later.name}" first`,
      );
    }
  }
}

function describe({ prefix }: ModuleSpec, other: ModuleSpec): string {
  return prefix === other.prefix ? prefix : `${prefix} and ${other.prefix}`;
}

/** Whether Express matches `prefix` for every path that it matches `other` for; its routers ignore case. */
function covers(prefix: string, other: string): boolean {
  const outer = segmentsOf(prefix);
  const inner = segmentsOf(other);
  return outer.every((segment, index) => {
    const counterpart = inner[index];
    return counterpart !== undefined && (segment === counterpart || segment.startsWith(':'));
  });
}

function segmentsOf(prefix: string): string[] {
  return prefix
    .toLowerCase()
    .split('/')
    .filter((segment) => segment !== '');
}

/** The names along a circle of dependencies, the first one again at the end. */
function findCircle(specs: ReadonlyMap<string, ModuleSpec>): string[] | undefined {
  const done = new Set<string>();
  const visit = (name: string, path: readonly string[]): string[] | undefined => {
    if (path.includes(name)) return [...path.slice(path.indexOf(name)), name];
    if (done.has(name)) return undefined;
    for (const other of specs.get(name)?.dependsOn ?? []) {
      const circle = visit(other, [...path, name]);
      if (circle !== undefined) return circle;
    }
    done.add(name);
    return undefined;
  };
  for (const name of specs.keys()) {
    const circle = visit(name, []);
    if (circle !== undefined) return circle;
  }
  return undefined;
}
