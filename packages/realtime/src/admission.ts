import type { ErrorObject } from '@signalbox/errors';
import { signals } from '@signalbox/signals';
import type { Namespace, Socket } from 'socket.io';
import { watchExpiry } from './expiry.js';
import { askLimit } from './limit.js';
import { Member } from './member.js';
import type { Members } from './members.js';
import type { SocketPrincipal } from './principal.js';
import { recheck } from './renewal.js';
import { draining, sessionEnded, tooManySockets } from './refusals.js';
import { keepOwnRoom, roomOf } from './rooms.js';
import type { Settings } from './settings.js';
import { authOf, signIn } from './sign-in.js';
import { toldError } from './told-error.js';

/** What was found out about a socket before it is there. */
interface Admitted {
  readonly principal: SocketPrincipal | undefined;
  readonly since: number;
}

/** Where sockets are let in. */
export interface Door {
  readonly settings: Settings;
  readonly members: Members;
  isDraining(): boolean;
  /** Begins to hear a socket. */
  listen(member: Member): void;
  /** Counts a refusal by its stable code. */
  refused(namespace: string, code: string): void;
}

/** Sees to it that nobody is in a namespace who has not signed in, and that whoever is in it is known. */
export function guardNamespace(namespace: Namespace, door: Door): void {
  const admitted = new WeakMap<Socket, Admitted>();

  async function letIn(socket: Socket, next: (error?: Error) => void): Promise<void> {
    const since = performance.now();
    let principal: SocketPrincipal | undefined;
    try {
      principal = await admit(socket, door);
    } catch (error) {
      if (!door.isDraining()) return next(refusal(error, namespace.name, door));
      door.refused(namespace.name, 'draining');
      // Whom a server tells why does not come back by itself. Who loses its connection does, to another process.
      socket.conn.close();
      return;
    }
    admitted.set(socket, { principal, since });
    next();
  }

  namespace.use((socket, next) => {
    keepOwnRoom(socket);
    void letIn(socket, next);
  });
  namespace.on('connection', (socket) => {
    const { principal, since } = admitted.get(socket) ?? { principal: undefined, since: -Infinity };
    const member = new Member(socket, socket.request, principal, authOf(socket.handshake.auth));
    forgetCredentials(socket);
    begin(member, since, door);
  });
}

async function admit(socket: Socket, door: Door): Promise<SocketPrincipal | undefined> {
  const { settings, members } = door;
  if (door.isDraining()) throw draining();
  const principal = await signIn(settings, socket.request, authOf(socket.handshake.auth));
  if (principal !== undefined && members.countOf(principal.subject) >= settings.maxSocketsPerSubject) {
    throw tooManySockets(settings.maxSocketsPerSubject);
  }
  await askLimit(settings, principal, 'connect', socket);
  return principal;
}

/** As Socket.IO's client gets it: `connect_error` with `error.data.error`. */
function refusal(error: unknown, namespace: string, door: Door): Error & { data: { error: ErrorObject } } {
  const object = toldError(error);
  if (object.code >= 500) door.settings.log.error({ err: error }, 'A socket could not be let in');
  door.refused(namespace, object.type);
  return Object.assign(new Error(object.message), { data: { error: object } });
}

function begin(member: Member, since: number, door: Door): void {
  const { settings, members } = door;
  const { socket, principal } = member;
  const namespace = socket.nsp.name;

  members.add(member);
  publish(namespace, 'connected', undefined);
  socket.once('disconnect', (reason) => {
    members.remove(member);
    member.release();
    publish(namespace, 'disconnected', reason);
  });
  // While it was being let in things may have changed.
  if (members.hasEnded(member, since)) return member.end(sessionEnded('signed_out'));
  if (principal !== undefined) {
    const { maxSocketsPerSubject } = settings;
    if (members.countOf(principal.subject) > maxSocketsPerSubject) {
      return member.end(tooManySockets(maxSocketsPerSubject));
    }
    void socket.join(roomOf(principal.subject));
  }
  if (door.isDraining()) {
    socket.conn.close();
    return;
  }

  door.listen(member);
  if (settings.greeting) socket.emit('connected', greetingOf(member));
  watchExpiry(member, settings.expiryNoticeMs);
  if (members.isDoubted(member, since)) void recheck(settings, members, member);
}

function greetingOf({ socket, principal }: Member): object {
  const { subject = null, roles = [], expiresAt = null } = principal ?? {};
  return { id: socket.id, subject, roles, expiresAt };
}

/** Adapters send the handshake to other nodes, and apps may log it. */
function forgetCredentials({ handshake }: Socket): void {
  const { host, origin, 'user-agent': agent } = handshake.headers;
  handshake.auth = {};
  handshake.headers = { host, origin, 'user-agent': agent };
}

function publish(namespace: string, state: 'connected' | 'disconnected', reason: string | undefined): void {
  if (signals.socketState.hasSubscribers) signals.socketState.publish({ namespace, state, reason });
}
