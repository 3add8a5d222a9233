import type { Server as HttpServer } from 'node:http';
import { signals } from '@signalbox/signals';
import { Server as Engine } from 'engine.io';
import { type Namespace, Server } from 'socket.io';
import { createNodeAdapter } from './adapters.js';
import { guardNamespace } from './admission.js';
import { attachTo } from './attach.js';
import { guardConnections } from './connection.js';
import { createDispatch } from './dispatch.js';
import { closeConnections, type DrainedSockets, drainConnections } from './drain.js';
import { answerOtherNodes } from './find-sockets.js';
import { createGate } from './gate.js';
import { createMembers, type Members } from './members.js';
import type { Revocation } from './options.js';
import type { OriginList } from '@signalbox/options';
import { knownEvents } from './own-events.js';
import type { SocketTarget } from './principal.js';
import type { RealtimeReport } from './realtime.js';
import { sessionEnded } from './refusals.js';
import { recheck } from './renewal.js';
import { newNodeName, newSessionId } from './session-id.js';
import type { Settings } from './settings.js';
import { createWorkerRelay } from './worker-relay.js';

/** Socket.IO before a server, with all that is known of its sockets. */
export interface OpenSockets {
  readonly settings: Settings;
  readonly io: Server;
  readonly members: Members;
  end(target: SocketTarget, reason?: string): number;
  recheck(target?: SocketTarget): Promise<void>;
  drain(budgetMs: number, reconnectOverMs: number): Promise<DrainedSockets>;
  report(): RealtimeReport;
  close(): Promise<void>;
}

/** Sockets that are asked about at a time. */
const RECHECKED_AT_ONCE = 32;

export function openSockets(server: HttpServer, settings: Settings): OpenSockets {
  const node = newNodeName();
  const members = createMembers();
  const nodes = createNodeAdapter(settings);
  const refusals = createRefusals();
  let isDraining = false;

  const engine = createEngine(settings, node, refusals);
  const relay = settings.websocketOnly ? undefined : createWorkerRelay(engine, node);
  const io = new Server({
    adapter: nodes.adapter,
    connectTimeout: settings.connectTimeoutMs,
    serveClient: false,
  });
  const door = {
    settings,
    members,
    isDraining: () => isDraining,
    listen: createDispatch(settings, knownEvents(settings, members)),
    refused: refusals.count,
  };
  guardNamespace(io.of('/'), door);
  io.on('new_namespace', (namespace) => guardNamespace(namespace, door));
  for (const name of settings.namespaces) io.of(name);
  answerOtherNodes(io, members);
  io.bind(engine);
  const refused = (code: string): void => refusals.count('/', code);
  const gate = createGate(settings, { engine, node, relay, isDraining: () => isDraining, refused });
  const detach = attachTo(server, settings.path, gate);

  function end(target: SocketTarget, reason = 'signed_out'): number {
    members.note(target);
    const ended = members.matching(target);
    for (const member of ended) member.end(sessionEnded(reason));
    return ended.length;
  }

  async function recheckAll(target?: SocketTarget): Promise<void> {
    members.noteDoubt(target);
    const waiting = target === undefined ? Array.from(members) : members.matching(target);
    const worker = async (): Promise<void> => {
      for (let member = waiting.pop(); member !== undefined; member = waiting.pop()) {
        await recheck(settings, members, member);
      }
    };
    await Promise.all(Array.from({ length: RECHECKED_AT_ONCE }, worker));
  }

  function hear(event: Revocation): void {
    if (event.type === 'roles_changed') void recheckAll(targetOf(event));
    else end(targetOf(event), event.type);
  }

  async function close(): Promise<void> {
    isDraining = true;
    unsubscribe?.();
    server.off('close', onServerClose);
    closeConnections(engine);
    await members.gone(1_000);
    await Promise.allSettled(namespacesOf(io).map(async ({ adapter }) => adapter.close()));
    nodes.close();
    relay?.close();
    detach();
  }

  const unsubscribe = settings.revoked?.(hear, { onGap: () => void recheckAll() });
  const onServerClose = (): void => void close();
  server.once('close', onServerClose);

  return {
    settings,
    io,
    members,
    end,
    recheck: recheckAll,
    drain(budgetMs, reconnectOverMs) {
      isDraining = true;
      return drainConnections(engine, members, budgetMs, reconnectOverMs);
    },
    report: () => ({
      sockets: members.size,
      connections: engine.clientsCount,
      subjects: members.subjects,
      rooms: countRooms(io),
      adapter: nodes.kind,
      degraded: nodes.isDegraded(),
      draining: isDraining,
      refused: refusals.counts(),
    }),
    close,
  };
}

/** Whom an event means, in the words of `revocationBus()`: each name that it has is one that sockets end with. */
function targetOf({
  subject,
  session,
  family,
  tokenId,
  except,
  untilMs,
  issuedUntil,
}: Revocation): SocketTarget {
  const names = [session, family, tokenId].flat().filter((name) => name !== undefined);
  return {
    subject,
    session: names.length === 0 ? undefined : names,
    except,
    issuedUntil: untilMs ?? issuedUntil,
  };
}

/** What was refused, by stable code. */
interface Refusals {
  readonly count: (namespace: string, code: string) => void;
  counts(): Record<string, number>;
}

function createRefusals(): Refusals {
  const counts = new Map<string, number>();
  return {
    count(namespace, code) {
      counts.set(code, (counts.get(code) ?? 0) + 1);
      if (!signals.socketState.hasSubscribers) return;
      signals.socketState.publish({ namespace, state: 'refused', reason: code });
    },
    counts: () => Object.fromEntries(counts),
  };
}

/** What Engine.IO refuses by itself, by its own numbers. */
const ENGINE_CODES = [
  ...(['unknown_transport', 'unknown_session', 'bad_handshake_method'] as const),
  ...(['bad_request', 'forbidden', 'unsupported_protocol'] as const),
];

function createEngine(settings: Settings, node: string, refusals: Refusals): Engine {
  const engine = new Engine({
    pingInterval: settings.pingIntervalMs,
    pingTimeout: settings.pingTimeoutMs,
    upgradeTimeout: settings.connectTimeoutMs,
    maxHttpBufferSize: settings.maxPayloadBytes,
    transports: settings.websocketOnly ? ['websocket'] : ['polling', 'websocket'],
    ...(settings.origins && { cors: corsOf(settings.origins) }),
  });
  engine.generateId = () => newSessionId(node);
  const guard = guardConnections(settings, (reason) => refusals.count('/', reason));
  engine.on('connection', guard);
  engine.on('connection_error', ({ code }: { code: number }) => {
    refusals.count('/', ENGINE_CODES[code] ?? 'bad_request');
  });
  return engine;
}

/** Long-polling of pages of other origins is a request like any other. */
function corsOf(origins: OriginList): object {
  return {
    credentials: true,
    origin(origin: string | undefined, done: (error: null, allowed: boolean) => void): void {
      done(null, origin !== undefined && origins.has(origin));
    },
  };
}

function namespacesOf(io: Server): Namespace[] {
  return Array.from(io._nsps.values());
}

/** Each socket is alone in a room of its id. */
function countRooms(io: Server): number {
  let count = 0;
  for (const { adapter } of namespacesOf(io)) {
    for (const room of adapter.rooms.keys()) if (!adapter.sids.has(room)) count += 1;
  }
  return count;
}
