import type { Change, PackedMetric } from './packing.js';

/** What a worker tells the primary. */
export type FromWorker =
  /** What it has counted: of its own accord, or in answer to `collect`. */
  | {
      signalbox: 'metrics';
      kind: 'snapshot';
      metrics: PackedMetric[];
      collect?: number | undefined;
      /** It is the last: from now on it need not be asked. */
      final?: boolean | undefined;
    }
  /** What has changed since its last snapshot, as it exits: little enough for the channel to take at once. */
  | { signalbox: 'metrics'; kind: 'changes'; changes: Change[] }
  /** It was scraped and needs the whole app's numbers. */
  | { signalbox: 'metrics'; kind: 'scrape'; scrape: number };

/** What the primary tells a worker. */
export type FromPrimary =
  /** There is somebody who adds up. Sent once, after a worker's first snapshot. */
  | { signalbox: 'metrics'; kind: 'welcome' }
  /** Send a snapshot. */
  | { signalbox: 'metrics'; kind: 'collect'; collect: number }
  /** The answer to `scrape`. */
  | {
      signalbox: 'metrics';
      kind: 'scraped';
      scrape: number;
      metrics: PackedMetric[];
      workers: number;
      workersMissing: number;
    };

/** Others use the channel too. */
export function isOurs(message: unknown): boolean {
  return (
    typeof message === 'object' &&
    message !== null &&
    'signalbox' in message &&
    message.signalbox === 'metrics'
  );
}
