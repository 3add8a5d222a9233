import { setMaxListeners } from 'node:events';
import type { RequestListener, Server } from 'node:http';
import { requireMilliseconds } from '@signalbox/options';
import { signals } from '@signalbox/signals';
import { answerClientErrors } from './client-errors.js';
import { createNodeServer } from './create-server.js';
import { drain } from './drain.js';
import { shrinkBudgets, whileOthersServe } from './drain-options.js';
import { type DrainReport, failedResources } from './drain-report.js';
import { keepYoung } from './keep-young.js';
import { listen, urlOf } from './listen.js';
import { logReport } from './log-report.js';
import { giveManagersAddressBack, isManaged, isReplaced, takeManagersAddress } from './managed.js';
import type { ServerLog } from './log.js';
import { openServers } from './open-servers.js';
import { type Address, type ServeOptions, type ServeSettings, resolveServeOptions } from './options.js';
import { drainOnSignals } from './process-signals.js';
import { signalKeeper } from './signal-keeper.js';
import { type Traffic, watchTraffic } from './traffic.js';
import { until } from './until.js';

/** A server that listens. */
export interface RunningServer {
  /** Where it can be reached from this machine: `http://127.0.0.1:3000`, or `unix:` and the path of a socket. */
  readonly url: string;
  /** What it listens on: the port that was found where 0 was asked for. */
  readonly address: Address;
  /** The `http.Server` or `https.Server` itself. */
  readonly server: Server;
  readonly state: 'ready' | 'draining' | 'closed';
  /** Aborts when the drain begins, so that an event stream or a long poll can say goodbye by itself. */
  readonly draining: AbortSignal;
  /**
   * Drains the server and closes its resources. Never rejects; calling it again returns the same promise.
   *
   * @throws {TypeError} when `withinMs` is no number of milliseconds
   */
  close(options?: CloseOptions): Promise<DrainReport>;
}

/** How a drain differs from the plan. */
export interface CloseOptions {
  /**
   * What the report gives as the reason.
   * @default 'close'
   */
  reason?: string | undefined;
  /** Time for everything where less is left than `drain.totalMs`, in milliseconds. */
  withinMs?: number | undefined;
}

/**
 * Serves an Express app, or any request listener, until the process is told to stop.
 *
 * Requests are born with the app's prototypes, which takes away most of what Express costs. Slow and malformed
 * requests are answered 408, 431, 413 or 400 on the raw connection. On SIGTERM and SIGINT it drains:
 * readiness goes off, requests under way and on their way are answered, then sockets, jobs, pools and
 * logs are closed, each within its budget; the process exits with 0, or with 1 when something had to be
 * abandoned. In a worker of `@signalbox/cluster` the first server listens where the manager says.
 *
 * @throws {TypeError} when an option is wrong
 * @throws {ListenError} when it cannot listen, such as on a port that is in use
 *
 * @example
 * const { url } = await serve(app, { port: 8889, resources: [{ name: 'postgres', close: () => pool.end() }] });
 */
export async function serve(app: RequestListener, options: ServeOptions = {}): Promise<RunningServer> {
  const resolved = resolveServeOptions(app, options);
  const managersAddress = takeManagersAddress();
  const settings = { ...resolved, address: managersAddress ?? resolved.address };
  if (!settings.pretenuring) keepYoung();
  const server = createNodeServer(app, settings);
  const traffic = watchTraffic(server, app);
  answerClientErrors(server, traffic);

  publishState(server, 'starting');
  try {
    await settings.attach?.(server);
    await listen(server, settings.address);
  } catch (error) {
    if (managersAddress !== undefined) giveManagersAddressBack();
    publishState(server, 'closed');
    throw error;
  }
  // Such as EMFILE on accept: without a listener it would be thrown.
  server.on('error', (err) => settings.log.error({ err }, 'the server could not accept a connection'));
  return run(server, traffic, settings);
}

function run(server: Server, traffic: Traffic, settings: ServeSettings): RunningServer {
  const { address, budgets, resources, log } = settings;
  const draining = new AbortController();
  // Every event stream may listen; Node would take the eleventh for a leak.
  setMaxListeners(0, draining.signal);
  const url = urlOf(server, address, settings.tls !== undefined);
  const bound = server.address();
  let state: RunningServer['state'] = 'ready';
  let closing: Promise<DrainReport> | undefined;
  let closed = false;

  async function shutDown({ reason = 'close', withinMs }: CloseOptions): Promise<DrainReport> {
    const replaced = isReplaced();
    const plan = replaced ? whileOthersServe(budgets) : budgets;
    state = 'draining';
    publishState(server, 'draining');
    draining.abort();
    const report = await drain({
      server,
      traffic,
      resources,
      reason,
      isReplaced: replaced,
      budgets: withinMs === undefined ? plan : shrinkBudgets(plan, withinMs),
      beforeLogs: (soFar) => logReport(log, soFar),
    });
    // The connections were destroyed; the server's own event comes a little later.
    await until(() => closed, 1_000);
    // Stops the interval that looks for late connections, which `net.Server.close` knows nothing of. It
    // would emit `close` a second time.
    server.removeAllListeners('close').close();

    state = 'closed';
    openServers.delete(running);
    unwatch();
    publishState(server, 'closed');
    publishReport(server, report);
    return report;
  }

  const running: RunningServer = {
    url,
    address:
      typeof bound === 'object' && bound !== null && 'host' in address
        ? { ...address, port: bound.port }
        : address,
    server,
    get state() {
      return state;
    },
    draining: draining.signal,
    close(options = {}) {
      if (options.withinMs !== undefined) requireMilliseconds('close', 'withinMs', options.withinMs);
      closing ??= shutDown(options);
      return closing;
    },
  };

  openServers.add(running);
  const unwatch = settings.signals ? drainOnSignals(running) : () => undefined;
  server.once('close', () => {
    closed = true;
    // Unless it was this drain that closed it, it was somebody else: `server.close()`, or Socket.IO.
    void running.close({ reason: 'server closed' });
  });
  publishState(server, 'ready');
  log.info({ url }, `listening on ${url}`);
  if (settings.signals && !isManaged) warnOfParent(log);
  return running;
}

let isWarned = false;

function warnOfParent(log: ServerLog): void {
  const parent = signalKeeper();
  if (parent === undefined || isWarned) return;
  isWarned = true;
  log.warn(
    { parent },
    `this process was started by ${parent}, which does not pass SIGTERM on, so that it would be killed without a drain; start node itself, or write "exec node ..."`,
  );
}

function publishState(server: Server, state: 'starting' | 'ready' | 'draining' | 'closed'): void {
  if (signals.serverState.hasSubscribers) signals.serverState.publish({ server, state });
}

function publishReport(server: Server, report: DrainReport): void {
  if (!signals.drainFinished.hasSubscribers) return;
  const { durationMs, abandonedRequests } = report;
  signals.drainFinished.publish({
    server,
    durationMs,
    abandonedRequests,
    failedResources: failedResources(report),
  });
}
