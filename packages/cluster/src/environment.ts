import { addressVariables } from './bind.js';
import { ORDERS_VARIABLE, SOCKET_FD, WORKERS_VARIABLE, type WorkerOrders } from './messages.js';
import type { ClusterSettings } from './options.js';
import type { WorkerPlan } from './worker-process.js';

/** What a worker finds in its environment, beside what this process has. */
export function workerEnvironment({
  settings,
  workers,
  address,
  env: extra,
}: WorkerPlan): Record<string, string | undefined> {
  const { beatMs, maxRequests, maxRequestsJitter, stuckAfterMs, env } = settings;
  const orders: WorkerOrders = {
    beatMs,
    maxRequests: maxRequests === 0 ? 0 : maxRequests + Math.round(Math.random() * maxRequestsJitter),
    stuckAfterMs: isInspected(settings) ? 0 : stuckAfterMs,
    isSocketInherited: address !== undefined && 'fd' in address,
  };
  return {
    ...(address && addressVariables(address)),
    ...env,
    ...extra,
    [ORDERS_VARIABLE]: JSON.stringify(orders),
    [WORKERS_VARIABLE]: String(workers),
    // The service is the manager; what a worker said would be taken for its word (sd_notify(3), sd_listen_fds(3)).
    NOTIFY_SOCKET: undefined,
    WATCHDOG_USEC: undefined,
    WATCHDOG_PID: undefined,
    LISTEN_FDS: undefined,
    LISTEN_FDNAMES: undefined,
    LISTEN_PID: undefined,
    // What serve() looks for.
    SIGNALBOX_MANAGER: String(process.pid),
    SIGNALBOX_ADDRESS: address && JSON.stringify('fd' in address ? { fd: SOCKET_FD } : address),
  };
}

/** Somebody may sit at a breakpoint. */
function isInspected({ nodeArgs }: ClusterSettings): boolean {
  return [...process.execArgv, ...nodeArgs].some((arg) => arg.startsWith('--inspect'));
}
