import { readdir, readFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import MiniSearch from 'minisearch';

/**
 * Reads every Markdown file below a folder into a full-text index, one after the other, so that the process stays able
 * to do something else.
 *
 * @param {string} folder
 * @param {(done: number, total: number) => Promise<void>} progress called after each file, and waited for
 * @param {AbortSignal} signal ends it between two files
 * @returns {Promise<MiniSearch>}
 */
export async function indexMarkdown(folder, progress, signal) {
  const index = new MiniSearch({ fields: ['title', 'text'], storeFields: ['title'] });
  const files = await markdownBelow(folder);
  for (const [number, file] of files.entries()) {
    signal.throwIfAborted();
    const text = await readFile(file, 'utf8');
    const title = /^# (.+)$/m.exec(text)?.[1] ?? basename(file);
    index.add({ id: relative(folder, file), title, text });
    await progress(number + 1, files.length);
  }
  return index;
}

/**
 * @param {string} folder
 * @returns {Promise<string[]>}
 */
async function markdownBelow(folder) {
  const entries = await readdir(folder, { withFileTypes: true });
  const found = entries.map(async (entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return isHidden(entry.name) ? [] : markdownBelow(path);
    return entry.isFile() && entry.name.endsWith('.md') ? [path] : [];
  });
  return (await Promise.all(found)).flat().toSorted();
}

/** @param {string} name */
function isHidden(name) {
  return name.startsWith('.') || name === 'node_modules';
}
