import MiniSearch, { type AsPlainObject, type Options } from 'minisearch';
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
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
const FORMAT = 'minisearch-7 2';

/**
 * The index of the documents: that of the last start, unless a file has changed since. To make it takes three seconds of
 * a processor, to load it not one.
 */
export async function documentIndex(sources: DocumentSources, keptIn: string): Promise<MiniSearch<Document>> {
  const files = await findDocumentFiles(sources);
  const madeOf = `${FORMAT} ${await fingerprintOf(files)}`;
  // Of processes that write it, and of those that were killed meanwhile.
  const parts = `${keptIn}.parts`;
  let index = await readKept(keptIn, madeOf);
  if (index === undefined) {
    index = new MiniSearch<Document>(OPTIONS);
    index.addAll(await readDocuments(files));
    await keep(`${madeOf}\n${JSON.stringify(index)}`, keptIn, parts);
  }
  // One that still writes loses the time that it took, and no more.
  await rm(parts, { recursive: true, force: true }).catch(() => undefined);
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
async function keep(text: string, file: string, parts: string): Promise<void> {
  const part = join(parts, randomUUID());
  try {
    await mkdir(parts, { recursive: true });
    await writeFile(part, text, { mode: 0o600 });
    // Whoever reads it meanwhile has the old one, or none.
    await rename(part, file);
  } catch {
    // There may be no room, or no right to write.
  }
}
