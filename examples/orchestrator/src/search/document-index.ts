import MiniSearch, { type AsPlainObject, type Options } from 'minisearch';
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import {
  findDocumentFiles,
  fingerprintOf,
  readDocuments,
  type Document,
  type DocumentSources,
} from './documents.js';

const OPTIONS: Options<Document> = {
  fields: ['title', 'summary', 'text'],
  storeFields: ['title', 'url', 'summary', 'text'],
  searchOptions: {
    boost: { title: 4, summary: 2 },
    prefix: (term) => term.length > 2,
    fuzzy: (term) => (term.length > 4 ? 0.2 : false),
    weights: { fuzzy: 0.2, prefix: 0.4 },
  },
};

/** Another one makes what was kept by an older version be made anew. */
const FORMAT = 'minisearch-7 1';

/**
 * The index of the documents: that of the last start, unless a file has changed since. To make it takes a second of a
 * processor, for each process that starts.
 */
export async function documentIndex(sources: DocumentSources, keptIn: string): Promise<MiniSearch<Document>> {
  const files = await findDocumentFiles(sources);
  const madeOf = `${FORMAT} ${await fingerprintOf(files)}`;
  const kept = await readKept(keptIn, madeOf);
  if (kept !== undefined) {
    await removeParts(keptIn);
    return kept;
  }

  const index = new MiniSearch<Document>(OPTIONS);
  index.addAll(await readDocuments(files));
  await keep(keptIn, `${madeOf}\n${JSON.stringify(index)}`);
  return index;
}

async function readKept(file: string, madeOf: string): Promise<MiniSearch<Document> | undefined> {
  try {
    const text = await readFile(file, 'utf8');
    const end = text.indexOf('\n');
    if (text.slice(0, end) !== madeOf) return undefined;
    return MiniSearch.loadJS<Document>(JSON.parse(text.slice(end + 1)) as AsPlainObject, OPTIONS);
  } catch {
    // None, or a broken one.
    return undefined;
  }
}

/** It is only for speed: where it cannot be kept, the next start takes longer. */
async function keep(file: string, text: string): Promise<void> {
  const part = `${file}.${randomUUID()}`;
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(part, text, { mode: 0o600 });
    // Whoever reads it meanwhile has the old one, or none.
    await rename(part, file);
  } catch {
    await rm(part, { force: true }).catch(() => undefined);
  }
  await removeParts(file);
}

const PART = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;

/** What a process left that was killed while it wrote. One that still writes loses the time that it took, and no more. */
async function removeParts(file: string): Promise<void> {
  const begin = `${basename(file)}.`;
  const names = await readdir(dirname(file)).catch(() => []);
  const parts = names.filter((name) => name.startsWith(begin) && PART.test(name.slice(begin.length)));
  await Promise.allSettled(parts.map((name) => rm(join(dirname(file), name), { force: true })));
}
