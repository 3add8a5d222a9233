import { within } from '@signalbox/context';
import { checkRedis, type Checked } from './check.js';
import { commandName } from './command-name.js';
import { isClusterClient, type ClusterClient, type RedisClient, type SingleClient } from './client.js';
import { createClusterRoute } from './cluster-route.js';
import { watchConnection } from './connection.js';
import { createGuard, publishBreaker } from './guard.js';
import { canReconnect, watchHandshake } from './handshake.js';
import { jittered } from './jitter.js';
import type { RedisLink } from './link.js';
import type { ConnectionSettings, LinkSettings } from './options.js';
import { createScripts } from './scripts.js';
import { createSender, type Sender } from './sender.js';
import { watchSentinels } from './sentinel-watch.js';
import { createSingleRoute } from './single-route.js';
import { createSubscriptions, SUBSCRIBER } from './subscriptions.js';

/** What differs between one server and a cluster. */
interface Transport {
  sender: Sender;
  /** Whether any command may be sent, as far as the guards are concerned. */
  isUsable: () => boolean;
  connected: () => void;
  checked: Pick<Checked, 'primaries'>;
  /** What to make a connection for subscriptions of. */
  someClient: () => SingleClient | undefined;
  close: () => void;
}

/**
 * Makes a link of a client.
 *
 * @param isOwn whether the client was made for the link, and ends with it
 * @param closed is called when the link is closed
 */
export function createLink(
  client: RedisClient,
  options: LinkSettings,
  isOwn: boolean,
  closed: () => void = () => undefined,
): RedisLink {
  const { name, deadlineMs, prefix } = options;
  // A client that was handed in has timeouts of its own, which come first.
  const settings: ConnectionSettings = {
    ...options,
    silenceMs: isOwn ? 4 * deadlineMs : Math.max(1_000, 10 * deadlineMs),
    handshakeMs: isOwn ? Math.max(500, 5 * deadlineMs) : Math.max(2_000, 20 * deadlineMs),
  };
  const changed = (): void => connection.update();
  const first = (): Promise<void> | undefined => connection.first;
  const transport = isClusterClient(client)
    ? clusterTransport(settings, client, changed, first, (server) => subscriptions.leave(server))
    : singleTransport(settings, client as SingleClient, changed, first);
  const { sender } = transport;
  const connection = watchConnection(options, client, {
    isUsable: transport.isUsable,
    connected(lostAt) {
      transport.connected();
      if (lostAt !== undefined) subscriptions.renew(lostAt);
    },
  });
  const scripts = createScripts(sender);
  const subscriptions = createSubscriptions(() => transport.someClient()?.duplicate(SUBSCRIBER as never));
  const endRevival = isOwn ? reviveAtEnd(client) : undefined;
  let closing: Promise<void> | undefined;

  // One that waits for its first command would be down until then, and refuse it.
  if (client.status === 'wait') client.connect().catch(() => undefined);

  async function close(): Promise<void> {
    endRevival?.();
    subscriptions.close();
    sender.close();
    transport.close();
    connection.close();
    closed();
    if (!isOwn) return;
    // Without a listener ioredis would print what happens to a connection that nobody wants any more.
    client.on('error', () => undefined);
    // Of a cluster, QUIT would first connect to the servers that are not connected.
    if (client.status === 'ready' && !client.isCluster)
      await within<unknown>(
        deadlineMs,
        client.quit().catch(() => undefined),
        () => undefined,
      );
    client.disconnect();
  }

  return {
    name,
    deadlineMs,
    cluster: client.isCluster,
    get state() {
      return connection.state;
    },
    async settled() {
      await connection.first;
      return connection.state;
    },
    command(command, ...args) {
      const lower = commandName(command, args);
      return sender.send(lower, args, false, lower);
    },
    commandBytes(command, ...args) {
      const lower = commandName(command, args);
      return sender.send(lower, args, true, lower);
    },
    sendCommand: scripts.sendCommand,
    script: scripts.script,
    subscribe: subscriptions.subscribe,
    subscribeBytes: subscriptions.subscribeBytes,
    check: () =>
      checkRedis(
        {
          ...transport.checked,
          send: (command, ...args) => sender.send(command, args, false, command),
          why: () => connection.lastError?.message,
        },
        `${prefix}{check}`,
      ),
    info: async () => String(await sender.send('info', [], false, 'info')),
    close: () => (closing ??= close()),
  };
}

function singleTransport(
  settings: ConnectionSettings,
  client: SingleClient,
  changed: () => void,
  first: () => Promise<void> | undefined,
): Transport {
  const guard = createGuard(settings, {
    ping: (text, late) => sender.send('ping', [text], false, 'ping', { late }),
    reconnect() {
      // Not while it connects: ioredis would end a client that asks Sentinel just then.
      if (client.status === 'ready' && canReconnect(client)) client.disconnect(true);
    },
    changed(isOpen) {
      publishBreaker(settings.name, undefined, isOpen);
      changed();
    },
  });
  const sender = createSender(settings, client, createSingleRoute(settings, client, guard), first);
  const endWatch = canReconnect(client) ? watchHandshake(client, settings.handshakeMs) : undefined;
  const endSentinelWatch = watchSentinels(client);

  return {
    sender,
    isUsable: () => !guard.isOpen,
    connected: guard.connected,
    checked: {},
    someClient: () => client,
    close() {
      guard.close();
      endWatch?.();
      endSentinelWatch?.();
    },
  };
}

function clusterTransport(
  settings: ConnectionSettings,
  cluster: ClusterClient,
  changed: () => void,
  first: () => Promise<void> | undefined,
  left: (server: SingleClient) => void,
): Transport {
  const servers = createClusterRoute(settings, cluster, () => sender, changed, left);
  const sender = createSender(settings, cluster, servers.route, first);

  return {
    sender,
    isUsable: servers.isUsable,
    connected: () => undefined,
    checked: {
      primaries: () =>
        servers.primaries().map(({ client: node, isUsable }) => ({
          isUsable,
          memory: () => sender.send('info', ['memory'], false, 'info', { node, late: () => undefined }),
        })),
    },
    someClient: servers.someClient,
    close: servers.close,
  };
}

/** ioredis gives up for good when a connection cannot even be begun, as with a key that TLS cannot read. */
function reviveAtEnd(client: RedisClient): () => void {
  let timer: NodeJS.Timeout | undefined;
  const revive = (): void => {
    timer = setTimeout(() => client.connect().catch(() => undefined), jittered(320));
  };
  client.on('end', revive);
  return () => {
    client.off('end', revive);
    clearTimeout(timer);
  };
}
