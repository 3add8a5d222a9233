import { readIncident, type Incident, type PastIncident } from './incident.js';
import { emptyOutbox, readOutbox, type Outbox } from './outbox.js';
import { fromJson, isTextList, numberAt } from './reading.js';

/** All that who sends must know. Goes to Redis as JSON, so that another process can go on. */
export interface Board {
  readonly incidents: Map<string, Incident>;
  readonly past: Map<string, PastIncident>;
  readonly outboxes: Map<string, Outbox>;
  /** Ids of notices that were delivered of late, so that a copy of one is not sent again. */
  readonly delivered: string[];
}

const MAX_DELIVERED = 200;

export function emptyBoard(): Board {
  return { incidents: new Map(), past: new Map(), outboxes: new Map(), delivered: [] };
}

export function outboxOf(board: Board, channel: string): Outbox {
  const found = board.outboxes.get(channel);
  if (found !== undefined) return found;
  const outbox = emptyOutbox();
  board.outboxes.set(channel, outbox);
  return outbox;
}

export function rememberDelivered(board: Board, ids: readonly string[]): void {
  board.delivered.push(...ids);
  board.delivered.splice(0, Math.max(0, board.delivered.length - MAX_DELIVERED));
}

/** Whether it holds nothing that another process had to know. */
export function isEmpty({ incidents, outboxes }: Board): boolean {
  return incidents.size === 0 && [...outboxes.values()].every(({ notices }) => notices.length === 0);
}

export function boardToJson({ incidents, past, outboxes, delivered }: Board): string {
  return JSON.stringify({
    incidents: [...incidents.values()],
    past: Object.fromEntries(past),
    outboxes: Object.fromEntries(outboxes),
    delivered,
  });
}

/** The board of the text; what is not of our writing is passed over. */
export function boardFromJson(text: unknown): Board {
  const value = Object(fromJson(text)) as Record<string, unknown>;
  const board = emptyBoard();
  for (const each of Array.isArray(value['incidents']) ? value['incidents'] : []) {
    const incident = readIncident(each);
    if (incident !== undefined) board.incidents.set(incident.id, incident);
  }
  for (const [id, each] of entriesOf(value['past'])) {
    const [openedMs, overMs, quietMs] = ['openedMs', 'overMs', 'quietMs'].map((name) => numberAt(each, name));
    if (openedMs === undefined || overMs === undefined || quietMs === undefined) continue;
    board.past.set(id, { openedMs, overMs, quietMs });
  }
  for (const [channel, each] of entriesOf(value['outboxes'])) board.outboxes.set(channel, readOutbox(each));
  if (isTextList(value['delivered'])) board.delivered.push(...value['delivered']);
  return board;
}

/**
 * Takes over what another process knew: incidents that it told of alone while it could not reach the others, what it has
 * delivered, and notices that it had not delivered yet.
 */
export function takeOver(board: Board, other: Board): void {
  for (const [id, past] of other.past) {
    if (board.incidents.get(id)?.openedMs === past.openedMs) board.incidents.delete(id);
    if ((board.past.get(id)?.overMs ?? 0) < past.overMs) board.past.set(id, past);
  }
  for (const incident of other.incidents.values()) {
    if ((board.past.get(incident.id)?.openedMs ?? -Infinity) >= incident.openedMs) continue;
    const mine = board.incidents.get(incident.id);
    if (mine === undefined) board.incidents.set(incident.id, incident);
    else for (const [channel, rank] of Object.entries(incident.told)) tell(mine, channel, rank);
  }
  const delivered = new Set([...board.delivered, ...other.delivered]);
  board.delivered.splice(0, board.delivered.length, ...delivered);
  rememberDelivered(board, []);
  for (const channel of other.outboxes.keys()) outboxOf(board, channel);
  for (const [channel, outbox] of board.outboxes) {
    const theirs = other.outboxes.get(channel);
    // What both have noticed is one incident, of which this board tells what is still to be told.
    const news = (theirs?.notices ?? []).filter(({ incident: { id, openedMs } }) => {
      const mine = board.incidents.get(id);
      return mine === undefined || mine.openedMs === openedMs;
    });
    const waiting = new Map([...outbox.notices, ...news].map((notice) => [notice.id, notice]));
    outbox.notices = [...waiting.values()]
      .filter(({ id }) => !delivered.has(id))
      .toSorted((a, b) => a.atMs - b.atMs);
    outbox.dropped += theirs?.dropped ?? 0;
  }
}

/** The channel knows now how bad it is. */
export function tell(incident: Incident, channel: string, rank: number): void {
  incident.told[channel] = Math.max(rank, incident.told[channel] ?? 0);
}

function entriesOf(value: unknown): [string, unknown][] {
  return Object.entries(Object(value) as object);
}
