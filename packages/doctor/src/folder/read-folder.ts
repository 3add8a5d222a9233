import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';

export interface TextFile {
  /** Relative to the folder, with `/`. */
  readonly path: string;
  readonly text: string;
}

/** The files of an app that say how it runs. */
export interface Folder {
  readonly root: string;
  readonly files: readonly TextFile[];
  /** The nearest package.json at or above the folder. */
  readonly manifest: Manifest | undefined;
  /** The sources below that package.json. */
  readonly sources: readonly TextFile[];
}

export interface Manifest {
  readonly path: string;
  readonly folder: string;
  readonly content: Readonly<Record<string, unknown>>;
}

const SKIPPED =
  /^(?:node_modules|dist|build|coverage|tests?|__tests__|fixtures|vendor|bench|docs|public|web|static|\..+)$/;
const SETTINGS = /^(?:\.env(?:\.\w+)?|[\w-]+\.env|\.dockerignore)$/;
const DEPLOYMENT =
  /^(?:.*Dockerfile.*|.*\.ya?ml|.*\.conf(?:\.template)?|.*\.nginx|.*\.service|.*task.*\.json|Procfile|ecosystem\.config\.[cm]?js|nginx\..*)$/;
const SOURCE = /\.[cm]?[jt]sx?$/;
const NO_SOURCE = /\.(?:d\.[cm]?ts|(?:test|spec|config)\.[cm]?[jt]sx?)$/;
const MAX_BYTES = 512 * 1024;
const MAX_FILES = 3_000;
const MAX_DEPTH = 8;

/** Reads what is there; what cannot be read is left out. */
export function readFolder(root: string): Folder {
  const paths = filesBelow(root);
  const named = (pattern: RegExp): TextFile[] =>
    paths.filter((path) => pattern.test(basename(path))).flatMap((path) => readText(root, path));
  const manifest = nearestManifest(root);
  const isBelow = manifest === undefined || manifest.folder === root;
  const sourceRoot = manifest?.folder ?? root;
  const sourcePaths = isBelow ? paths : filesBelow(sourceRoot);
  return {
    root,
    manifest,
    files: [...named(SETTINGS), ...named(DEPLOYMENT)],
    sources: sourcePaths
      .filter((path) => SOURCE.test(path) && !NO_SOURCE.test(path) && !/(?:^|\/)deploy\//.test(path))
      .flatMap((path) => readText(sourceRoot, path)),
  };
}

function filesBelow(root: string): string[] {
  const found: string[] = [];
  const look = (folder: string, depth: number): void => {
    if (depth > MAX_DEPTH) return;
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (found.length >= MAX_FILES) return;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        // The folder of another package is another program.
        if (!SKIPPED.test(entry.name) && !existsSync(join(path, 'package.json'))) look(path, depth + 1);
      } else if (entry.isFile()) {
        found.push(relative(root, path).replaceAll('\\', '/'));
      }
    }
  };
  look(root, 0);
  return found.toSorted();
}

function readText(root: string, path: string): TextFile[] {
  try {
    const full = join(root, path);
    return statSync(full).size > MAX_BYTES ? [] : [{ path, text: readFileSync(full, 'utf8') }];
  } catch {
    return [];
  }
}

function nearestManifest(root: string): Manifest | undefined {
  for (let folder = root; ; folder = dirname(folder)) {
    const path = join(folder, 'package.json');
    if (existsSync(path)) {
      const content = parsedObject(readFileSync(path, 'utf8'));
      return content && { path, folder, content };
    }
    // A repository is not left.
    if (dirname(folder) === folder || existsSync(join(folder, '.git'))) return undefined;
  }
}

function parsedObject(text: string): Record<string, unknown> | undefined {
  try {
    return asRecord(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** The value where it is an object with names, else `undefined`. */
export function asRecord(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

export function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
}

/** A value of YAML or JSON as the text that a program gets to see. */
export function asText(value: unknown): string {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}
