import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder that holds everything. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/** The parts of a package.json that the gates look at. */
export interface Manifest {
  name: string;
  version: string;
  private?: boolean;
  license?: string;
  description?: string;
  type?: string;
  sideEffects?: unknown;
  engines?: Record<string, string>;
  exports?: Record<string, unknown>;
  bin?: Record<string, string>;
  files?: string[];
  repository?: { type: string; url: string; directory: string };
  publishConfig?: Record<string, unknown>;
  dependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  peerDependenciesMeta?: Record<string, { optional?: boolean }>;
  devDependencies?: Record<string, string>;
}

export interface Package {
  /** Without the scope: `errors`. */
  short: string;
  /** `@signalbox/errors` */
  name: string;
  /** Its absolute path. */
  folder: string;
  manifest: Manifest;
}

/** Every package that is published, by name. */
export const packages: readonly Package[] = readdirSync(join(root, 'packages'))
  .filter((short) => existsSync(join(root, 'packages', short, 'package.json')))
  .map((short) => {
    const folder = join(root, 'packages', short);
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
    return { short, folder, manifest, name: manifest.name };
  });

/** Made by tools, not written. */
const notOurs = new Set(['node_modules', 'dist', 'coverage', '.git', '.run', '.vitepress/cache']);

/** Every file below a folder of the repository that somebody wrote, as absolute paths. */
export function filesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (notOurs.has(entry.name) || notOurs.has(`${basename(folder)}/${entry.name}`)) return [];
    if (entry.isDirectory()) return filesIn(path);
    return entry.isFile() ? [path] : [];
  });
}

/** The path as it is written in a message: relative to the root. */
export function shortPath(path: string): string {
  return relative(root, path);
}

/** The names of the Signalbox packages that a package imports, comments left aside. */
export function importsOf(folder: string): Set<string> {
  const sources = filesIn(join(folder, 'src')).filter((file) => file.endsWith('.ts'));
  const names = sources.flatMap((file) => {
    const code = readFileSync(file, 'utf8').replaceAll(/^\s*(?:\/\/|\/?\*).*$/gm, '');
    return [...code.matchAll(/(?:from|import|import\()\s*['"](@signalbox\/[a-z-]+)/g)].map(
      ([, name]) => name ?? '',
    );
  });
  return new Set(names);
}
