import { statfs } from 'node:fs/promises';
import { within } from '@signalbox/context';

export interface DiskSpace {
  sizeBytes: number;
  /** What is left for those who are not root. */
  availableBytes: number;
}

/** How long a reading is good for: long enough that the gauges of one scrape share one. */
const FRESH_MS = 1_000;
/** A scrape does not wait for a file system that hangs, such as a network mount. */
const PATIENCE_MS = 100;

/** Reads the space of the file system that `path` is on. */
export function diskSpace(path: string): { read(): Promise<DiskSpace | undefined> } {
  let last: DiskSpace | undefined;
  let askedMs = -Infinity;
  let asking: Promise<void> | undefined;

  async function ask(): Promise<void> {
    try {
      const { bsize, blocks, bavail } = await statfs(path);
      last = { sizeBytes: blocks * bsize, availableBytes: bavail * bsize };
    } catch {
      last = undefined; // Shown as no value: the path is gone, or may not be read.
    } finally {
      asking = undefined;
    }
  }

  return {
    async read() {
      if (asking === undefined && performance.now() - askedMs > FRESH_MS) {
        askedMs = performance.now();
        asking = ask();
      }
      if (asking !== undefined) await within(PATIENCE_MS, asking, () => undefined);
      return last;
    },
  };
}
