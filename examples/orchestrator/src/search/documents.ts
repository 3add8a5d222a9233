import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { plainText } from './plain-text.js';

/** One document of the embedded engine. */
export interface Document {
  id: string;
  title: string;
  /** Of a file of this project only its path, from `/` on. */
  url: string;
  /** One sentence, where the author wrote one. */
  summary: string;
  /** The text without its markup. */
  text: string;
}

/** Longer documents are cut: what a README says first is what it is about. */
const MAX_CHARACTERS = 60_000;
const AT_ONCE = 64;

/** Where to look. */
export interface DocumentSources {
  /** Markdown files. */
  docsFolder: string;
  /** A folder; the packages installed in the node_modules folders above it are taken. */
  from: string;
}

/** The files of the documents that are on this machine anyway. */
export interface DocumentFiles {
  docsFolder: string;
  /** Markdown files of this project, by their paths in the folder. */
  pages: string[];
  /** Installed packages: name → folder. */
  packages: Map<string, string>;
}

export async function findDocumentFiles({ docsFolder, from }: DocumentSources): Promise<DocumentFiles> {
  const [names, packages] = await Promise.all([
    readdir(docsFolder, { recursive: true }).catch(() => []),
    packageFolders(from),
  ]);
  const pages = names.filter((name) => name.endsWith('.md') && !/(^|[/\\])(node_modules|\.)/.test(name));
  return { docsFolder, pages, packages };
}

/** Another one when a file has come, gone or changed. */
export async function fingerprintOf({ docsFolder, pages, packages }: DocumentFiles): Promise<string> {
  const paths = [
    ...pages.map((name) => join(docsFolder, name)),
    ...[...packages.values()].map((folder) => join(folder, 'package.json')),
  ];
  const states = await inBatches(paths, async (path) => {
    // Not the time of the last change: package managers set that to what the author's archive says, or to 1985.
    const { ino, size, ctimeMs } = await stat(path);
    return `${path} ${ino} ${size} ${ctimeMs}`;
  });
  return createHash('sha256').update(states.join('\n')).digest('base64url');
}

export async function readDocuments({ docsFolder, pages, packages }: DocumentFiles): Promise<Document[]> {
  const [own, readmes] = await Promise.all([
    inBatches(pages, (name) => readPage(docsFolder, name)),
    inBatches([...packages], ([name, folder]) => readReadme(name, folder)),
  ]);
  return [...own, ...readmes];
}

async function readPage(folder: string, name: string): Promise<Document> {
  const path = name.replaceAll('\\', '/');
  const markdown = await readFile(join(folder, name), 'utf8');
  // Which stands above each passage already.
  const [heading = '', title = path] = /^#\s+(.+)$/m.exec(markdown) ?? [];
  return {
    id: `docs/${path}`,
    title: plainText(title),
    url: `/${path}`,
    summary: '',
    text: plainText(markdown.replace(heading, '').slice(0, MAX_CHARACTERS)),
  };
}

async function readReadme(name: string, folder: string): Promise<Document | undefined> {
  const files = await readdir(folder).catch(() => []);
  const readme = files.find((file) => /^readme(\.md|\.markdown)?$/i.test(file));
  if (readme === undefined) return undefined;

  const [markdown, manifest] = await Promise.all([
    readFile(join(folder, readme), 'utf8'),
    readFile(join(folder, 'package.json'), 'utf8').then(parseManifest),
  ]);
  const url = webAddress(manifest);
  if (url === undefined) return undefined;
  return {
    id: name,
    title: name,
    url,
    summary: manifest.description ?? '',
    text: plainText(markdown.slice(0, MAX_CHARACTERS)),
  };
}

/** Package name → folder, from every node_modules on the way up, pnpm's hidden one included. */
async function packageFolders(from: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (let folder = from; ; folder = dirname(folder)) {
    for (const modules of [join(folder, 'node_modules'), join(folder, 'node_modules/.pnpm/node_modules')]) {
      for (const name of await packageNames(modules)) {
        if (!found.has(name)) found.set(name, join(modules, name));
      }
    }
    if (folder === dirname(folder)) return found;
  }
}

async function packageNames(modules: string): Promise<string[]> {
  const entries = (await readdir(modules).catch(() => [])).filter((name) => !name.startsWith('.'));
  const nested = await Promise.all(
    entries.map(async (name) => {
      if (!name.startsWith('@')) return [name];
      return (await readdir(join(modules, name)).catch(() => [])).map((inner) => `${name}/${inner}`);
    }),
  );
  return nested.flat();
}

interface Manifest {
  description: string | undefined;
  homepage: string | undefined;
  /** Where the source code is, in one of npm's many forms. */
  source: string | undefined;
  /** Where in the repository of a workspace. */
  directory: string | undefined;
}

function parseManifest(json: string): Manifest {
  const { description, homepage, repository } = JSON.parse(json) as Record<string, unknown>;
  const { url, directory } = Object(repository) as { url?: unknown; directory?: unknown };
  return {
    description: textOf(description),
    homepage: textOf(homepage),
    source: textOf(repository) ?? textOf(url),
    directory: textOf(directory),
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** Where a person reads about the package: its homepage, else its repository. */
function webAddress({ homepage, source, directory }: Manifest): string | undefined {
  if (homepage !== undefined && /^https?:\/\//.test(homepage)) return homepage;
  if (source === undefined) return undefined;
  if (/^[\w.-]+\/[\w.-]+$/.test(source)) return `https://github.com/${source}`;
  const address = source
    .replace(/^github:/, 'https://github.com/')
    .replace(/^git\+/, '')
    .replace(/^git:\/\//, 'https://')
    .replace(/^(ssh:\/\/)?git@([^:/]+)[:/]/, 'https://$2/')
    .replace(/\.git$/, '');
  if (!/^https?:\/\//.test(address)) return undefined;
  return directory === undefined ? address : `${address}/tree/HEAD/${directory}`;
}

/** A batch at a time, so that a large tree does not run out of file handles. What cannot be read is left out. */
async function inBatches<Item, Read>(
  items: readonly Item[],
  read: (item: Item) => Promise<Read | undefined>,
): Promise<Read[]> {
  const all: Read[] = [];
  for (let start = 0; start < items.length; start += AT_ONCE) {
    const batch = await Promise.allSettled(items.slice(start, start + AT_ONCE).map(read));
    for (const result of batch) {
      if (result.status === 'fulfilled' && result.value !== undefined) all.push(result.value);
    }
  }
  return all;
}
