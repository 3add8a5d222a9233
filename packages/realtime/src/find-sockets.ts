import type { Server } from 'socket.io';
import type { Members } from './members.js';
import type { Member } from './member.js';

/** A socket of any node. */
export interface FoundSocket {
  readonly id: string;
  readonly namespace: string;
  readonly subject: string | null;
  /** Without those of its own. */
  readonly rooms: readonly string[];
  readonly transport: string;
  /** In milliseconds since 1970. */
  readonly connectedAt: number;
}

/** Sockets of all processes that answered. */
export interface FoundSockets {
  readonly sockets: readonly FoundSocket[];
  /** Whether some nodes did not answer in time, or a node had more than it told. */
  readonly partial: boolean;
  /** How many nodes are in it, this one included. */
  readonly nodes: number;
}

export interface FindOptions {
  subject?: string | undefined;
  room?: string | undefined;
  /**
   * Sockets that each node tells at most.
   * @default 1_000
   */
  limit?: number | undefined;
}

interface NodeAnswer {
  readonly sockets: readonly FoundSocket[];
  readonly hasMore: boolean;
}

const QUESTION = 'signalbox:find-sockets';
/** The adapter has its own time; this one is for when it cannot even ask. */
const GRACE_MS = 200;

/** Answers the question of other nodes which sockets are here. */
export function answerOtherNodes(io: Server, members: Members): void {
  io.on(QUESTION, (query: unknown, answer: unknown) => {
    if (typeof answer !== 'function') return;
    const { subject, room, limit } = (query ?? {}) as Record<string, unknown>;
    answer(
      findHere(members, {
        subject: typeof subject === 'string' ? subject : undefined,
        room: typeof room === 'string' ? room : undefined,
        limit: typeof limit === 'number' ? limit : 1_000,
      }),
    );
  });
}

/** Asks all nodes. Those that do not answer in time are left out, and that is said. */
export async function findSockets(
  io: Server,
  members: Members,
  options: FindOptions,
  withinMs: number,
): Promise<FoundSockets> {
  const { limit = 1_000 } = options;
  const query = { ...options, limit };
  const { answers, isWhole } = await ask(io, query, withinMs);
  const all = [findHere(members, query), ...answers];
  return {
    sockets: all.flatMap(({ sockets }) => sockets),
    partial: !isWhole || all.some(({ hasMore }) => hasMore),
    nodes: all.length,
  };
}

function ask(
  io: Server,
  query: object,
  withinMs: number,
): Promise<{ answers: NodeAnswer[]; isWhole: boolean }> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve({ answers: [], isWhole: false }), withinMs + GRACE_MS);
    io.serverSideEmit(QUESTION, query, (error: unknown, answers: unknown) => {
      clearTimeout(timer);
      const known = Array.isArray(answers) ? (answers as unknown[]).filter(isAnswer) : [];
      resolve({ answers: known, isWhole: error === null || error === undefined });
    });
  });
}

function isAnswer(value: unknown): value is NodeAnswer {
  return typeof value === 'object' && value !== null && 'sockets' in value && Array.isArray(value.sockets);
}

function findHere(members: Members, { subject, room, limit = 1_000 }: FindOptions): NodeAnswer {
  const sockets: FoundSocket[] = [];
  const candidates = subject === undefined ? members : members.matching({ subject });
  for (const member of candidates) {
    if (room !== undefined && !member.socket.rooms.has(room)) continue;
    if (sockets.length >= limit) return { sockets, hasMore: true };
    sockets.push(describe(member));
  }
  return { sockets, hasMore: false };
}

function describe({ socket, principal }: Member): FoundSocket {
  return {
    id: socket.id,
    namespace: socket.nsp.name,
    subject: principal?.subject ?? null,
    rooms: Array.from(socket.rooms).filter((room) => room !== socket.id && !room.startsWith('signalbox:')),
    transport: socket.conn.transport.name,
    connectedAt: socket.handshake.issued,
  };
}
