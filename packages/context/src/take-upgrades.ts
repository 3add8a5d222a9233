import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { ignoreUpgrade, offersAnother } from './ignore-upgrade.js';

/** Whose some of a server's requests to upgrade are. */
export interface UpgradeTaker {
  owns(req: IncomingMessage): boolean;
  take(req: IncomingMessage, socket: Duplex, head: Buffer): void;
}

interface Taking {
  readonly takers: Set<UpgradeTaker>;
  readonly end: () => void;
}

const takings = new WeakMap<Server, Taking>();

/**
 * Hands a server's requests to upgrade to whose they are: of several takers, to the first. What is nobody's is served as
 * any request (RFC 9110 section 7.8), as Node does where nobody listens, unless somebody else listens for `upgrade`, too:
 * nginx and Caddy ask an app whether somebody may open a WebSocket elsewhere with the fields of that, and a proxy takes
 * a connection that is closed without an answer for a server that is gone. So are offers of other protocols than WebSocket,
 * as of HTTP/2 by Java's and curl's clients, whosever they are.
 *
 * @returns what ends it
 *
 * @example
 * const end = takeUpgrades(server, {
 *   owns: (req) => req.url === '/chat',
 *   take: (req, socket, head) => chat.handleUpgrade(req, socket, head),
 * });
 */
export function takeUpgrades(server: Server, taker: UpgradeTaker): () => void {
  const { takers, end } = takings.get(server) ?? listenAt(server);
  takers.add(taker);
  return () => {
    if (takers.delete(taker) && takers.size === 0) end();
  };
}

function listenAt(server: Server): Taking {
  const takers = new Set<UpgradeTaker>();
  const listener = (req: IncomingMessage, socket: Duplex, head: Buffer): void => {
    for (const taker of takers) {
      if (!taker.owns(req)) continue;
      if (offersAnother(req)) ignoreUpgrade(server, req, socket, head);
      else taker.take(req, socket, head);
      return;
    }
    if (server.listenerCount('upgrade') === 1) ignoreUpgrade(server, req, socket, head);
  };
  const taking = {
    takers,
    end(): void {
      server.off('upgrade', listener);
      takings.delete(server);
    },
  };
  server.on('upgrade', listener);
  takings.set(server, taking);
  return taking;
}
