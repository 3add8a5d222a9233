import { type FSWatcher, watch } from 'node:fs';
import { sep } from 'node:path';
import type { ServerLog } from '@signalbox/server';

/** Compilers write many files in a row. */
const CALM_MS = 200;

/**
 * Calls `onChange` when something in one of the paths has changed, and a moment has passed.
 *
 * @returns a function that ends it
 */
export function watchFiles(paths: readonly string[], log: ServerLog, onChange: () => void): () => void {
  let calm: NodeJS.Timeout | undefined;
  const noteChange = (_event: string, file: string | null): void => {
    if (file?.split(sep).includes('node_modules')) return;
    clearTimeout(calm);
    calm = setTimeout(onChange, CALM_MS);
  };
  const watchers: FSWatcher[] = [];
  for (const path of paths) {
    try {
      const watcher = watch(path, { recursive: true }, noteChange);
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
