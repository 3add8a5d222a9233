import { setTimeout as wait } from 'node:timers/promises';
import type { Socket } from 'socket.io';
import type { Member } from './member.js';
import { isMeant, type SocketPrincipal, type SocketTarget } from './principal.js';

/** How long an ending is remembered, for sockets that were being let in just then: longer than that takes. */
const REMEMBERED_MS = 60_000;
const MAX_REMEMBERED = 1_000;

/** The sockets of this process. */
export interface Members {
  readonly size: number;
  readonly subjects: number;
  [Symbol.iterator](): Iterator<Member>;
  /** What is known of a socket. */
  of(socket: Socket): Member | undefined;
  add(member: Member): void;
  remove(member: Member): void;
  /** After its principal was replaced. */
  move(member: Member, from: SocketPrincipal | undefined): void;
  countOf(subject: string): number;
  matching(target: SocketTarget): Member[];
  /** Remembers that these were ended. */
  note(target: SocketTarget): void;
  /** Whether a socket that began to be let in at `since` was meant by an ending from then on. */
  hasEnded(member: Member, since: number): boolean;
  /** Waits until all are gone, or the time is up. */
  gone(withinMs: number): Promise<void>;
}

export function createMembers(): Members {
  const all = new Set<Member>();
  const bySocket = new WeakMap<Socket, Member>();
  const bySubject = new Map<string, Set<Member>>();
  const endings: { at: number; target: SocketTarget }[] = [];

  function index(member: Member, subject: string | undefined): void {
    if (subject === undefined) return;
    const known = bySubject.get(subject);
    if (known === undefined) bySubject.set(subject, new Set([member]));
    else known.add(member);
  }

  function unindex(member: Member, subject: string | undefined): void {
    if (subject === undefined) return;
    const known = bySubject.get(subject);
    known?.delete(member);
    if (known?.size === 0) bySubject.delete(subject);
  }

  return {
    get size() {
      return all.size;
    },
    get subjects() {
      return bySubject.size;
    },
    [Symbol.iterator]: () => all.values(),
    of: (socket) => bySocket.get(socket),
    add(member) {
      all.add(member);
      bySocket.set(member.socket, member);
      index(member, member.principal?.subject);
    },
    remove(member) {
      all.delete(member);
      unindex(member, member.principal?.subject);
    },
    move(member, from) {
      unindex(member, from?.subject);
      index(member, member.principal?.subject);
    },
    countOf: (subject) => bySubject.get(subject)?.size ?? 0,
    matching(target) {
      const candidates = target.subject === undefined ? all : (bySubject.get(target.subject) ?? []);
      return Array.from(candidates).filter(({ socket, principal }) => isMeant(target, socket.id, principal));
    },
    note(target) {
      const now = performance.now();
      endings.push({ at: now, target });
      const isOld = ({ at }: { at: number }): boolean => now - at > REMEMBERED_MS;
      while (endings.length > MAX_REMEMBERED || (endings[0] !== undefined && isOld(endings[0])))
        endings.shift();
    },
    hasEnded: ({ socket, principal }, since) =>
      endings.some(({ at, target }) => at >= since && isMeant(target, socket.id, principal)),
    async gone(withinMs) {
      const end = performance.now() + withinMs;
      while (all.size > 0 && performance.now() < end) await wait(10);
    },
  };
}
