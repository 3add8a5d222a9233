import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { takeUpgrades } from '@signalbox/context';

/** Takes what belongs to a path. */
export interface PathOwner {
  request(req: IncomingMessage, res: ServerResponse): void;
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/**
 * Hands the requests below a path to its owner, and all others to those who listened before, as Engine.IO does it: at
 * the cost of comparing the beginning of the URL. Upgrades elsewhere are left to other listeners; where there are none,
 * they are served as any request.
 *
 * @returns a function that gives the server back
 */
export function attachTo(server: Server, path: string, owner: PathOwner): () => void {
  const prefix = `${path}/`;
  const others = server.listeners('request') as ((req: IncomingMessage, res: ServerResponse) => void)[];
  const [first] = others;

  function onRequest(this: Server, req: IncomingMessage, res: ServerResponse): void {
    if (isBelow(req.url)) owner.request(req, res);
    else if (others.length === 1) first?.call(server, req, res);
    else for (const other of others) other.call(server, req, res);
  }

  function isBelow(url: string | undefined): boolean {
    return url !== undefined && url.startsWith(prefix);
  }

  server.removeAllListeners('request');
  server.on('request', onRequest);
  const leaveUpgrades = takeUpgrades(server, {
    owns: ({ url }) => isBelow(url),
    take: (req, socket, head) => owner.upgrade(req, socket, head),
  });

  return () => {
    leaveUpgrades();
    if (!server.listeners('request').includes(onRequest)) return;
    server.off('request', onRequest);
    for (const other of others) server.on('request', other);
  };
}
