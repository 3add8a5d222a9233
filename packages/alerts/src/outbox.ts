import type { AlertChannel } from './channel.js';
import { rankOf } from './severity.js';
import { readNotice, type Notice } from './notice.js';
import { listAt, numberAt, textAt } from './reading.js';

/** What waits to be told to one channel. */
export interface Outbox {
  notices: Notice[];
  /** Dropped since the last message that arrived. */
  dropped: number;
  /** Tries in a row that failed. */
  failures: number;
  failingSinceMs: number | undefined;
  retryMs: number;
  lastError: string | undefined;
  /** When messages went out, within the last hour. */
  sentMs: number[];
}

export function emptyOutbox(): Outbox {
  return {
    notices: [],
    dropped: 0,
    failures: 0,
    failingSinceMs: undefined,
    retryMs: 0,
    lastError: undefined,
    sentMs: [],
  };
}

/**
 * Puts a notice in, and makes room for it where there is none: reminders go first, then the oldest.
 *
 * @returns what was dropped
 */
export function post(outbox: Outbox, notice: Notice, maxQueued: number): Notice | undefined {
  outbox.notices.push(notice);
  if (outbox.notices.length <= maxQueued) return undefined;
  const reminder = outbox.notices.findIndex(({ kind }) => kind === 'repeat');
  const [dropped] = outbox.notices.splice(Math.max(0, reminder), 1);
  outbox.dropped += 1;
  return dropped;
}

/** Whether the channel was told, or will be, that the incident is as bad as it is. */
export function knowsOf(
  outbox: Outbox,
  channel: AlertChannel,
  { incident }: Pick<Notice, 'incident'>,
): boolean {
  const rank = rankOf(incident.severity);
  if ((incident.told[channel.name] ?? 0) >= rank) return true;
  return outbox.notices.some(
    ({ kind, incident: { id, openedMs, severity } }) =>
      (kind === 'open' || kind === 'worse') &&
      id === incident.id &&
      openedMs === incident.openedMs &&
      rankOf(severity) >= rank,
  );
}

/** An outbox of what JSON holds. */
export function readOutbox(value: unknown): Outbox {
  return {
    notices: listAt(value, 'notices').flatMap((each) => readNotice(each) ?? []),
    dropped: numberAt(value, 'dropped') ?? 0,
    failures: numberAt(value, 'failures') ?? 0,
    failingSinceMs: numberAt(value, 'failingSinceMs'),
    retryMs: numberAt(value, 'retryMs') ?? 0,
    lastError: textAt(value, 'lastError'),
    sentMs: listAt(value, 'sentMs').filter((each) => typeof each === 'number'),
  };
}
