/**
 * A process of its own that visits a server all the time: `node reload-load.js PORT RATE SOCKETS`. Half of the requests
 * use kept-alive connections, half a new one each. Answers each message of its parent with what happened since the
 * one before.
 */
import type { OutgoingHttpHeaders } from 'node:http';
import type { LoadResult } from '../support/load-report.js';
import { steadyLoad, type Load } from '../support/load.js';
import { holdSockets, type SocketReport } from './reload-sockets.js';

/** What one kind of requests met. */
export interface RequestReport {
  requests: number;
  /** How many failed, by reason: a status, `ECONNRESET`, `timeout`. */
  failures: Record<string, number>;
  p99Ms: number;
}

export interface VisitReport {
  keptAlive: RequestReport;
  newConnections: RequestReport;
  sockets: SocketReport;
}

const FOR_EVER_MS = 24 * 3_600_000;
const TIMEOUT_MS = 5_000;
/** Each of them has connections of its own, which it uses now and then. */
const VISITORS = 25;

const [port = 0, rate = 0, sockets = 0] = process.argv.slice(2).map(Number);
const keptAlive = await visitors(VISITORS, {});
const newConnections = await visitors(1, { connection: 'close' });
const held = holdSockets(port, sockets);

function visitors(count: number, headers: OutgoingHttpHeaders): Promise<Load[]> {
  const ratePerSecond = rate / 2 / count;
  const options = { ratePerSecond, headers, durationMs: FOR_EVER_MS, timeoutMs: TIMEOUT_MS };
  const url = `http://127.0.0.1:${port}/`;
  return Promise.all(Array.from({ length: count }, () => steadyLoad(url, options)));
}

const seen = new Map<Load, number>();

function unseen(load: Load): LoadResult[] {
  const from = seen.get(load) ?? 0;
  seen.set(load, load.results.length);
  return load.results.slice(from);
}

function reportOf(loads: readonly Load[]): RequestReport {
  const fresh = loads.flatMap(unseen);
  const failures: Record<string, number> = {};
  for (const { status, error } of fresh) {
    if (error === undefined && status === 200) continue;
    const reason = error ?? String(status);
    failures[reason] = (failures[reason] ?? 0) + 1;
  }
  const durations = fresh.map(({ durationMs }) => durationMs).toSorted((a, b) => a - b);
  return { requests: fresh.length, failures, p99Ms: durations[Math.floor(durations.length * 0.99)] ?? 0 };
}

process.on('message', () => {
  const report: VisitReport = {
    keptAlive: reportOf(keptAlive),
    newConnections: reportOf(newConnections),
    sockets: held.report(),
  };
  process.send?.(report);
});
process.once('disconnect', () => process.exit());
process.send?.('ready');
