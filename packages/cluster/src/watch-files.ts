import { type FSWatcher, watch } from 'node:fs';
import { resolve, sep } from 'node:path';
import type { ServerLog } from '@signalbox/server';

/** Compilers write many files in a row. */
const CALM_MS = 200;

/**
 * Calls `onChange` when something in one of the paths has changed, and a moment has passed.
 *
 * @param own what this process writes itself, of a reload among others
 * @returns a function that ends it
 */
export function watchFiles(
  paths: readonly string[],
  own: readonly string[],
  log: ServerLog,
  onChange: () => void,
): () => void {
  let calm: NodeJS.Timeout | undefined;
  const noteChange = (path: string, file: string | null): void => {
    if (file?.split(sep).includes('node_modules') || own.includes(resolve(path, file ?? ''))) return;
    clearTimeout(calm);
    calm = setTimeout(onChange, CALM_MS);
  };
  const watchers: FSWatcher[] = [];
  for (const path of paths) {
    try {
      const watcher = watch(path, { recursive: true }, (_event, file) => noteChange(path, file));
      watcher.on('error', (err) => log.warn({ err, path }, `${path} cannot be watched any more`));
      watchers.push(watcher);
    } catch (err) {
      log.warn({ err, path }, `${path} cannot be watched`);
    }
  }
  return () => {
    clearTimeout(calm);
    for (const watcher of watchers) watcher.close();
  };
}
