import { connect, type Socket } from 'node:net';
import { openLane, type LaneEvents, type Traffic } from './fault-proxy-lane.js';

/** One connection through the proxy. */
export interface Link {
  /** Looks at the traffic's rules again after they changed. */
  update(): void;
  reset(): void;
}

/** What a connection counts, for all of them together. */
export interface LinkCounts {
  bytesUp: number;
  bytesDown: number;
  bytesLost: number;
  roundTrips: number;
}

/** Connects a client to the server. What becomes of one side becomes of the other. */
export function openLink(
  client: Socket,
  target: { host: string; port: number },
  traffic: Traffic,
  counts: LinkCounts,
  ended: () => void,
): Link {
  // allowHalfOpen: a client that has said all it wanted still gets its answer.
  const upstream = connect({ ...target, noDelay: true, allowHalfOpen: true }).unref();
  client.setNoDelay(true).unref();

  const reset = (): void => {
    if (!client.destroyed) client.resetAndDestroy();
    // Not yet connected, there is nothing to reset.
    if (upstream.connecting) upstream.destroy();
    else if (!upstream.destroyed) upstream.resetAndDestroy();
  };

  let isForgotten = false;
  let isOver = false;
  // TCP never delivers a stream with a hole in it. So a connection that has lost something stays silent, as one does
  // that a firewall or a NAT has forgotten, and whoever uses it has to find out.
  const rules: Traffic = {
    get state() {
      return isForgotten ? 'lost' : traffic.state;
    },
    get delayMs() {
      return traffic.delayMs;
    },
    get bytesPerSecond() {
      return traffic.bytesPerSecond;
    },
  };
  const lost: LaneEvents['lost'] = (what, bytes) => {
    isForgotten = true;
    counts.bytesLost += bytes;
    if (what === 'end') isOver = true;
    clearUp();
  };
  /** Nobody misses a forgotten connection that one side has ended. */
  const clearUp = (): void => {
    if (isOver && traffic.state !== 'lost') reset();
  };

  let asked = false;
  const up = openLane(client, upstream, rules, false, {
    seen(chunk) {
      counts.bytesUp += chunk.length;
      asked = true;
    },
    lost,
  });
  const down = openLane(upstream, client, rules, true, {
    seen(chunk) {
      counts.bytesDown += chunk.length;
      if (asked) counts.roundTrips += 1;
      asked = false;
    },
    lost,
  });

  // A server that refuses is a reset for the client: it has its connection already.
  client.on('error', reset);
  upstream.on('error', reset);
  client.once('close', () => {
    ended();
    if (rules.state === 'flowing') upstream.destroy();
    else reset();
  });

  return {
    update() {
      up.update();
      down.update();
      clearUp();
    },
    reset,
  };
}
