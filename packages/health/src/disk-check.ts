import { statfs } from 'node:fs/promises';
import { refuseUnknownOptions, requireNumber, requireText } from '@signalbox/options';
import type { CheckFunction } from './check.js';

export interface DiskCheckOptions {
  /** Any path on the file system to look at. */
  path: string;
  /** Free space that must be left, in bytes. */
  minFreeBytes?: number | undefined;
  /**
   * Free space that must be left, in percent of the whole.
   * @default 5, where `minFreeBytes` is not given
   */
  minFreePercent?: number | undefined;
}

/**
 * Looks at the space left for an unprivileged process on a file system.
 *
 * @throws {TypeError} when an option is out of range
 */
export function diskCheck(options: DiskCheckOptions): CheckFunction {
  refuseUnknownOptions('diskCheck', options, ['path', 'minFreeBytes', 'minFreePercent']);
  const { path, minFreeBytes = 0 } = options;
  const { minFreePercent = options.minFreeBytes === undefined ? 5 : 0 } = options;
  requireText('diskCheck', 'path', path);
  if (options.minFreeBytes !== undefined)
    requireNumber('diskCheck', 'minFreeBytes', minFreeBytes, { above: 0, finite: true });
  if (options.minFreePercent !== undefined)
    requireNumber('diskCheck', 'minFreePercent', minFreePercent, { above: 0, max: 100 });

  return async function lookAtDisk() {
    const { bsize, blocks, bavail } = await statfs(path);
    const freeBytes = bavail * bsize;
    const totalBytes = blocks * bsize;
    // A file system of no size, such as procfs, is neither full nor empty.
    const freePercent = blocks === 0 ? 100 : Math.round((bavail / blocks) * 1_000) / 10;
    const isLow = freePercent < minFreePercent || (blocks > 0 && freeBytes < minFreeBytes);
    return {
      status: isLow ? 'unhealthy' : 'healthy',
      reason: `${freePercent} % free`,
      details: { free_bytes: freeBytes, total_bytes: totalBytes, free_percent: freePercent },
    };
  };
}
