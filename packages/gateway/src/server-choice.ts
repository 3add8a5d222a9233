import type { Server } from './server.js';

/**
 * The server to ask next, or `undefined` when none may be asked. Those that were asked already come last.
 */
export function chooseServer(
  servers: readonly Server[],
  mode: 'preference' | 'balance',
  route: string,
  asked: ReadonlySet<Server>,
): Server | undefined {
  const open = mayBeAsked(servers, route);
  const fresh = open.filter((server) => !asked.has(server));
  const choice = fresh.length > 0 ? fresh : open;
  return mode === 'preference' ? choice[0] : leastBusy(choice);
}

function mayBeAsked(servers: readonly Server[], route: string): readonly Server[] {
  const open = servers.filter((server) => server.blockedUntil(route) === 0);
  // Where there is somebody else, an ejection spares callers one that fails; else it may keep out one that is back.
  return open.length > 0 || servers.length === 1
    ? open
    : servers.filter((server) => server.isLastResort(route));
}

/** Whether a server that was not asked yet may be asked at once. */
export function hasFreshServer(
  servers: readonly Server[],
  route: string,
  asked: ReadonlySet<Server>,
): boolean {
  return mayBeAsked(servers, route).some((server) => !asked.has(server));
}

/** When the first of the servers may be asked again, in epoch milliseconds. */
export function unblockedAt(servers: readonly Server[], route: string): number {
  if (mayBeAsked(servers, route).length > 0) return 0;
  return Math.min(...servers.map((server) => server.blockedUntil(route)));
}

/** The one with the fewest requests under way; by lot among equals, so that idle servers share evenly. */
function leastBusy(servers: readonly Server[]): Server | undefined {
  let best: Server | undefined;
  let equals = 0;
  for (const server of servers) {
    if (best === undefined || server.inFlight < best.inFlight) {
      best = server;
      equals = 1;
    } else if (server.inFlight === best.inFlight) {
      equals += 1;
      if (Math.random() * equals < 1) best = server;
    }
  }
  return best;
}

/** Why each server is not asked, for an operator. */
export function whyBlocked(servers: readonly Server[], route: string): string {
  return servers
    .map((server) => {
      const { state } = server.state();
      const breaker = server.breaker(route)?.state() ?? 'closed';
      const why = state !== 'in' ? `is ${state}` : `has its breaker ${breaker.replace('_', '-')}`;
      return `${server.address.origin} ${why}`;
    })
    .join(', ');
}
