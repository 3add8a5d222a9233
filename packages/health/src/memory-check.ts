import { totalmem } from 'node:os';
import { getHeapStatistics } from 'node:v8';
import { refuseUnknownOptions, requireNumber } from '@signalbox/options';
import type { CheckFunction } from './check.js';

export interface MemoryCheckOptions {
  /**
   * Used heap that is too much, in percent of V8's limit.
   * @default 90
   */
  maxHeapPercent?: number | undefined;
  /**
   * Resident memory that is too much, in percent of what the container, or else the machine, grants.
   * @default 90
   */
  maxRssPercent?: number | undefined;
  /** Resident memory that is too much, in bytes. */
  maxRssBytes?: number | undefined;
}

/**
 * Looks at the memory of this process.
 *
 * @throws {TypeError} when an option is out of range
 */
export function memoryCheck(options: MemoryCheckOptions = {}): CheckFunction {
  refuseUnknownOptions('memoryCheck', options, ['maxHeapPercent', 'maxRssPercent', 'maxRssBytes']);
  const { maxHeapPercent = 90, maxRssPercent = 90, maxRssBytes } = options;
  requireNumber('memoryCheck', 'maxHeapPercent', maxHeapPercent, { above: 0, max: 100 });
  requireNumber('memoryCheck', 'maxRssPercent', maxRssPercent, { above: 0, max: 100 });
  if (maxRssBytes !== undefined)
    requireNumber('memoryCheck', 'maxRssBytes', maxRssBytes, { above: 0, finite: true });

  const grantedBytes = grantedMemory();
  const rssLimit = Math.min(maxRssBytes ?? Infinity, (grantedBytes * maxRssPercent) / 100);

  return function lookAtMemory() {
    const rss = process.memoryUsage.rss();
    const { used_heap_size: heap, heap_size_limit: heapLimit } = getHeapStatistics();
    const heapPercent = Math.round((heap / heapLimit) * 1_000) / 10;

    const reasons: string[] = [];
    if (heapPercent > maxHeapPercent) reasons.push(`heap at ${heapPercent} % of its limit`);
    if (rss > rssLimit) reasons.push(`${rss} bytes resident`);
    return {
      status: reasons.length > 0 ? 'unhealthy' : 'healthy',
      reason: reasons.join(', '),
      details: {
        rss_bytes: rss,
        granted_bytes: grantedBytes,
        heap_used_bytes: heap,
        heap_percent: heapPercent,
      },
    };
  };
}

/** The limit of the cgroup where there is one; libuv says 0 or an absurd number where there is none. */
function grantedMemory(): number {
  const machine = totalmem();
  const constrained = process.constrainedMemory();
  return constrained !== undefined && constrained > 0 ? Math.min(constrained, machine) : machine;
}
