import type { Server, ServerResponse } from 'node:http';
import { Server as NetServer } from 'node:net';
import { setImmediate as immediate } from 'node:timers/promises';
import { closeResources } from './close-resources.js';
import type { DrainBudgets, Resource } from './drain-options.js';
import type { ClosedResource, DrainReport, DrainedPhase } from './drain-report.js';
import { type Traffic, countOtherConnections } from './traffic.js';
import { sleep, until } from './until.js';

/** What a drain works on. */
export interface DrainTask {
  readonly server: Server;
  readonly traffic: Traffic;
  readonly budgets: DrainBudgets;
  readonly resources: readonly Resource[];
  readonly reason: string;
  /** Whether another worker has taken this one's place, so that sockets may go there at once. */
  readonly isReplaced: boolean;
  /** Called when all but the resources of the phase `logs` is done. */
  readonly beforeLogs: (report: DrainReport) => void;
}

/**
 * Brings a server to an end without losing a request: waits for the load balancer to look away, stops
 * listening, answers what is under way and what still arrives on open connections, then ends streams and
 * sockets, then closes the resources. Never throws, and takes no longer than its budgets.
 */
export async function drain(task: DrainTask): Promise<DrainReport> {
  const { traffic, budgets, resources, reason } = task;
  const start = performance.now();
  const phases: DrainedPhase[] = [];
  const closed: ClosedResource[] = [];

  async function timed<T>(phase: DrainedPhase['phase'], budgetMs: number, run: () => Promise<T>): Promise<T> {
    const phaseStart = performance.now();
    const result = await run();
    phases.push({ phase, durationMs: Math.round(performance.now() - phaseStart), budgetMs });
    return result;
  }

  await timed('readiness', budgets.readinessDelayMs, () => sleep(budgets.readinessDelayMs));
  const requestsInFlight = countRequests(traffic);
  let closing: Promise<ClosedResource[]> | undefined;
  const closeSockets = (): void => {
    closing ??= closeResources(resources, 'sockets', budgets.socketsMs);
  };
  const lateRequests = await timed('http', budgets.httpMs, () =>
    // Where another worker serves already, sockets need not wait for the last answer to go there.
    drainHttp(task, task.isReplaced ? closeSockets : undefined),
  );
  const ended = await timed('sockets', budgets.socketsMs, async () => {
    closeSockets();
    const cut = await drainSockets(task);
    closed.push(...((await closing) ?? []));
    return cut;
  });
  for (const phase of ['jobs', 'pools'] as const) {
    const budgetMs = budgets[`${phase}Ms`];
    closed.push(...(await timed(phase, budgetMs, () => closeResources(resources, phase, budgetMs))));
  }

  const abandonedRequests = lateRequests + ended.requests;
  const reportNow = (): DrainReport => ({
    reason,
    clean: abandonedRequests === 0 && closed.every(({ outcome }) => outcome === 'closed'),
    durationMs: Math.round(performance.now() - start),
    phases,
    requestsInFlight,
    abandonedRequests,
    endedStreams: ended.streams,
    endedSockets: ended.sockets,
    resources: closed,
  });
  task.beforeLogs(reportNow());
  const { logsMs } = budgets;
  closed.push(...(await timed('logs', logsMs, () => closeResources(resources, 'logs', logsMs))));
  return reportNow();
}

/** @returns how many requests had to be abandoned */
async function drainHttp(
  { server, traffic, budgets: { httpMs, lingerMs } }: DrainTask,
  onceClosed: (() => void) | undefined,
): Promise<number> {
  const end = performance.now() + httpMs;
  await stopListening(server, Math.min(QUIET_WITHIN_MS, httpMs / 4));
  traffic.sayClose();
  onceClosed?.();

  const lingerEnd = Math.min(performance.now() + lingerMs, end);
  const answered = await until(() => {
    if (traffic.connections.size === 0) return true;
    if (performance.now() < lingerEnd) return false;
    traffic.closeIdle();
    return countRequests(traffic) === 0;
  }, end - performance.now());
  if (answered) return 0;

  let abandoned = 0;
  for (const res of traffic.responses) {
    if (isEventStream(res)) continue;
    abandoned += 1;
    res.req.socket.destroy();
  }
  return abandoned;
}

/** How long at most to look for a moment without new connections. */
const QUIET_WITHIN_MS = 1_000;

/**
 * Stops listening between two connections. The system resets those that wait to be accepted when it is
 * told to stop, and Node accepts one in each turn of the event loop; a turn without any means that none waits.
 */
async function stopListening(server: Server, withinMs: number): Promise<void> {
  let accepted = true;
  const onConnection = (): void => {
    accepted = true;
  };
  server.on('connection', onConnection);
  const deadline = performance.now() + withinMs;
  while (accepted && server.listening && performance.now() < deadline) {
    accepted = false;
    await immediate();
  }
  server.off('connection', onConnection);

  // Not `http.Server.close`, which also closes idle connections at once, under requests that are on their
  // way: the client has sent one and gets a reset.
  if (server.listening) NetServer.prototype.close.call(server);
}

/**
 * Ends what has no end of its own. Resources such as Socket.IO come first, so that they can tell their clients;
 * what is still open near the end of the budget is cut. The rest of the budget is for resources that wait for that.
 */
async function drainSockets({
  traffic,
  budgets: { socketsMs },
}: DrainTask): Promise<{ requests: number; streams: number; sockets: number }> {
  const graceMs = Math.min(500, socketsMs / 10);
  await until(() => {
    traffic.closeIdle();
    return traffic.connections.size === 0;
  }, socketsMs - graceMs);

  const requests = countRequests(traffic);
  const streams = traffic.responses.size - requests;
  const sockets = countOtherConnections(traffic);
  for (const socket of traffic.connections) socket.destroy();
  return { requests, streams, sockets };
}

/** Requests that an answer is to be expected to: all but event streams. */
function countRequests({ responses }: Traffic): number {
  let count = 0;
  for (const res of responses) if (!isEventStream(res)) count += 1;
  return count;
}

/** `writeHead` may have sent the type without keeping it, so what the client asked for counts as well. */
function isEventStream(res: ServerResponse): boolean {
  if (!res.headersSent) return false;
  const type = res.getHeader('content-type') ?? res.req.headers.accept;
  return typeof type === 'string' && type.startsWith('text/event-stream');
}
