import type { ClusterClient, SingleClient } from './client.js';
import { unavailable } from './failure.js';
import { createGuard, publishBreaker, type Guard } from './guard.js';
import { canReconnect, watchHandshake } from './handshake.js';
import type { ConnectionSettings } from './options.js';
import type { Call, Route, Sender } from './sender.js';

/** A server of the cluster, as long as the client knows it. */
interface ClusterServer {
  readonly client: SingleClient;
  readonly guard: Guard;
  close(): void;
}

/** The way to a Redis Cluster: every server has a guard of its own. */
export interface ClusterRoute {
  route: Route;
  /** Whether any server can be asked. */
  isUsable: () => boolean;
  /** The owners of the slots, and whether each can be asked. */
  primaries(): { client: SingleClient | undefined; isUsable: boolean }[];
  /** Some server to subscribe at. */
  someClient: () => SingleClient | undefined;
  close: () => void;
}

/** The map of the slots is not read more often than this, in milliseconds. */
const REFRESH_PAUSE_MS = 200;

/**
 * @param sender what the guards send their PINGs with
 * @param changed hears that a server can be asked, or no more
 * @param left hears of a server that is no part of the cluster any more
 */
export function createClusterRoute(
  settings: ConnectionSettings,
  cluster: ClusterClient,
  sender: () => Sender,
  changed: () => void,
  left: (client: SingleClient) => void,
): ClusterRoute {
  const { name } = settings;
  const servers = new Map<string, ClusterServer>();
  let refreshedAt = -Infinity;
  let next = 0;

  function refresh(): void {
    const now = performance.now();
    if (cluster.status !== 'ready' || now - refreshedAt < REFRESH_PAUSE_MS) return;
    refreshedAt = now;
    cluster.refreshSlotsCache(() => undefined);
  }

  function add(client: SingleClient): void {
    const key = keyOf(client);
    servers.get(key)?.close();
    const guard = createGuard(settings, {
      ping(text, late) {
        // Its slots may have gone to another server.
        refresh();
        return sender().send('ping', [text], false, 'ping', { late, node: client });
      },
      reconnect: () => client.disconnect(canReconnect(client)),
      changed(isOpen) {
        publishBreaker(name, key, isOpen);
        if (isOpen) refresh();
        changed();
      },
    });
    const ready = (): void => {
      guard.connected();
      changed();
    };
    client.on('ready', ready);
    const endWatch = watchHandshake(client, settings.handshakeMs);
    servers.set(key, {
      client,
      guard,
      close() {
        guard.close();
        endWatch();
        client.off('ready', ready);
      },
    });
    // While the client connects, it asks one of its servers whether the cluster works, and takes one that is not connected
    // yet for broken, unless that waits for its first command.
    if (cluster.status === 'connect' || cluster.status === 'ready') warm(client);
  }

  function remove(client: SingleClient): void {
    const key = keyOf(client);
    const server = servers.get(key);
    if (server?.client !== client) return;
    server.close();
    servers.delete(key);
    changed();
    if (!cluster.slots.some((nodes) => nodes?.includes(key))) left(client);
    refresh();
  }

  /** ioredis connects to a server with its first command, which would have to wait for that. */
  function warm(client: SingleClient): void {
    if (client.status !== 'wait' || client.options.readOnly) return;
    client.connect().catch(() => undefined);
  }

  /** For a command without keys: any primary that works, in turn. */
  function anyServer(): ClusterServer | undefined {
    const usable = [...servers.values()].filter(
      (server) => isWritable(server.client) && !server.guard.isOpen,
    );
    const primaries = usable.filter(({ client }) => !client.options.readOnly);
    const from = primaries.length > 0 ? primaries : usable;
    next += 1;
    return from[next % from.length];
  }

  const added = (client: unknown): void => add(client as SingleClient);
  const removed = (client: unknown): void => remove(client as SingleClient);
  const warmAll = (): void => {
    for (const { client } of servers.values()) warm(client);
  };
  cluster.on('+node', added);
  cluster.on('-node', removed);
  cluster.on('connect', warmAll);
  for (const client of cluster.nodes('all')) add(client);

  function admitTo(server: ClusterServer | undefined, call: Call): ReturnType<Route['admit']> {
    if (server === undefined || !isWritable(server.client)) {
      if (server !== undefined) warm(server.client);
      refresh();
      return unavailable(name, 'cluster', 'the server for this key is not connected');
    }
    if (server.guard.isOpen) return unavailable(name, 'breaker');
    call.guard = server.guard;
    call.node = server.client;
    return undefined;
  }

  return {
    isUsable: () => anyServer() !== undefined,
    someClient: () => anyServer()?.client,
    primaries() {
      const keys = new Set(cluster.slots.map((nodes) => nodes?.[0]));
      return [...keys].map((key) => {
        const server = servers.get(key ?? '');
        const isUsable = server !== undefined && isWritable(server.client) && !server.guard.isOpen;
        return { client: server?.client, isUsable };
      });
    },

    route: {
      admit(command, call) {
        // As with one server: at most one try.
        command.pipelineIndex = -1;
        if (call.probe !== undefined && call.node !== undefined)
          return isWritable(call.node) ? undefined : unavailable(name, 'down');
        if (cluster.status !== 'ready') {
          return unavailable(name, cluster.status === 'end' ? 'closed' : 'down');
        }
        const slot = command.getSlot();
        if (slot !== null) return admitTo(servers.get(cluster.slots[slot]?.[0] ?? ''), call);
        call.isDirect = true;
        return admitTo(anyServer(), call);
      },

      write(command, call) {
        const to = call.isDirect ? call.node : cluster;
        to?.sendCommand(command as never);
      },

      failed(error) {
        if (error.reason === 'down' || error.reason === 'cluster') refresh();
      },
    },

    close() {
      cluster.off('+node', added);
      cluster.off('-node', removed);
      cluster.off('connect', warmAll);
      for (const server of servers.values()) server.close();
    },
  };
}

/** As ioredis writes it in its map of the slots. */
function keyOf({ options }: SingleClient): string {
  return `${options.host ?? '127.0.0.1'}:${options.port ?? 6379}`;
}

function isWritable(client: SingleClient): boolean {
  return client.status === 'ready' && client.stream?.writable === true;
}
