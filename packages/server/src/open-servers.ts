import type { DrainReport } from './drain-report.js';

/** What the process as a whole needs to know of a server. */
export interface Closable {
  close(options: { reason: string; withinMs?: number | undefined }): Promise<DrainReport>;
}

/** The servers of this process that are not closed, for whoever has to end them all. */
export const openServers: Set<Closable> = new Set();
