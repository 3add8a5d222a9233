import { setTimeout as wait } from 'node:timers/promises';
import type { Socket } from 'socket.io';
import type { Member } from './member.js';
import { isMeant, type SocketPrincipal, type SocketTarget } from './principal.js';

/** How long what happened is remembered, for sockets that were being let in just then: longer than that takes. */
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
  /** Remembers that these are asked about anew; all of them where no target is given. */
  noteDoubt(target: SocketTarget | undefined): void;
  /** Whether a socket that began to be let in at `since` was meant by an ending from then on. */
  hasEnded(member: Member, since: number): boolean;
  /** Whether a socket that began to be let in at `since` is to be asked about anew. */
  isDoubted(member: Member, since: number): boolean;
  /** Waits until all are gone, or the time is up. */
  gone(withinMs: number): Promise<void>;
}

export function createMembers(): Members {
  const all = new Set<Member>();
  const bySocket = new WeakMap<Socket, Member>();
  const bySubject = new Map<string, Set<Member>>();
  const endings = recent<SocketTarget>();
  const doubts = recent<SocketTarget | undefined>();

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
    note: endings.add,
    noteDoubt: doubts.add,
    hasEnded: ({ socket, principal }, since) =>
      endings.some(since, (target) => isMeant(target, socket.id, principal)),
    isDoubted: ({ socket, principal }, since) =>
      endings.hasForgotten(since) ||
      doubts.hasForgotten(since) ||
      doubts.some(since, (target) => target === undefined || isMeant(target, socket.id, principal)),
    async gone(withinMs) {
      const end = performance.now() + withinMs;
      while (all.size > 0 && performance.now() < end) await wait(10);
    },
  };
}

/** What happened of late, for as long as somebody may ask. */
interface Recent<What> {
  readonly add: (what: What) => void;
  /** Whether something of the sort happened from `since` on. */
  some(since: number, isOfTheSort: (what: What) => boolean): boolean;
  /** Whether so much happened from `since` on that not all of it is known any more. */
  hasForgotten(since: number): boolean;
}

function recent<What>(): Recent<What> {
  const all: { at: number; what: What }[] = [];
  let forgottenAt = -Infinity;
  return {
    add(what) {
      const now = performance.now();
      all.push({ at: now, what });
      const isOld = ({ at }: { at: number }): boolean => now - at > REMEMBERED_MS;
      while (all.length > MAX_REMEMBERED || (all[0] !== undefined && isOld(all[0]))) {
        forgottenAt = all.shift()?.at ?? forgottenAt;
      }
    },
    some: (since, isOfTheSort) => all.some(({ at, what }) => at >= since && isOfTheSort(what)),
    hasForgotten: (since) => forgottenAt >= since,
  };
}
