import { signals } from '@signalbox/signals';
import { outboxOf, rememberDelivered, type Board } from './board.js';
import { DeliveryError, type AlertChannel, type AlertMessage } from './channel.js';
import { nameOfError } from './clean.js';
import { markTold, type Judge } from './judge.js';
import { messageOf, type MessageSettings } from './message.js';
import type { Notice } from './notice.js';
import type { Outbox } from './outbox.js';

export interface DeliverySettings extends MessageSettings {
  groupMs: number;
  maxPerHour: number;
  deadlineMs: number;
  now: () => number;
  judge: Judge;
}

/** Sends what waits. */
export interface Delivery {
  /**
   * Sends what is due to the channel, or what there is. Resolves when there is no more, or it failed; never rejects.
   */
  deliver(board: Board, channel: AlertChannel, isUrgent: boolean): Promise<void>;
}

const HOUR_MS = 3_600_000;
/** Notices that one message of a channel that groups may hold. */
const MAX_GROUPED = 30;
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;
/** For what somebody has to mend first, such as a key that is refused. */
const MEND_RETRY_MS = 300_000;

export function deliveryOf(settings: DeliverySettings): Delivery {
  const { groupMs, maxPerHour, deadlineMs, now, judge } = settings;

  /** What the next message is to hold; nothing where it is not time. */
  function nextOf(board: Board, channel: AlertChannel, isUrgent: boolean): readonly Notice[] {
    const outbox = outboxOf(board, channel.name);
    outbox.notices = outbox.notices.filter((notice) => !isExplainedBy(board, notice, judge));
    outbox.sentMs = outbox.sentMs.filter((sentMs) => now() - sentMs < HOUR_MS);
    const [oldest] = outbox.notices;
    if (oldest === undefined) return [];
    // There is no later: neither more to wait for, nor another try.
    if (!isUrgent && (now() < outbox.retryMs || now() - oldest.atMs < groupMs)) return [];
    const isCapped = outbox.sentMs.length >= maxPerHour;
    if (channel.isGrouped) return isCapped ? [] : outbox.notices.slice(0, MAX_GROUPED);
    // What is over is told in any case: else somebody goes on working at it.
    const next = isCapped ? outbox.notices.find((notice) => isOnlyNotice(outbox, notice)) : oldest;
    return next === undefined ? [] : [next];
  }

  async function send(board: Board, channel: AlertChannel, notices: readonly Notice[]): Promise<boolean> {
    const outbox = outboxOf(board, channel.name);
    const { dropped } = outbox;
    try {
      const message = messageOf(settings, outbox, notices, (incident) => alsoOf(board, incident.id, judge));
      await within(deadlineMs, channel, message);
      remove(outbox, notices);
      markTold(board, channel, notices, now());
      rememberDelivered(
        board,
        notices.map(({ id }) => id),
      );
      Object.assign(outbox, { failures: 0, failingSinceMs: undefined, lastError: undefined, retryMs: 0 });
      outbox.dropped -= dropped;
      if (channel.isGrouped || notices[0]?.kind !== 'over') outbox.sentMs.push(now());
      publish(channel, notices, 'sent');
      return true;
    } catch (error) {
      publish(channel, notices, 'failed');
      return failed(board, channel, notices, error);
    }
  }

  /** @returns whether to go on with what waits behind it */
  function failed(board: Board, channel: AlertChannel, notices: readonly Notice[], error: unknown): boolean {
    const outbox = outboxOf(board, channel.name);
    const known = error instanceof DeliveryError ? error : undefined;
    outbox.lastError = known?.message ?? nameOfError(error) ?? 'it failed';
    outbox.failures += 1;
    if (known?.remedy === 'drop') {
      // The receiver will not take this one; what is behind it may be better.
      remove(outbox, notices);
      markTold(board, channel, notices, now());
      outbox.dropped += notices.length;
      return true;
    }
    outbox.failingSinceMs ??= now();
    const usualMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(outbox.failures - 1, 20));
    const waitMs = known?.remedy === 'mend' ? MEND_RETRY_MS : usualMs * (0.8 + 0.4 * Math.random());
    outbox.retryMs = now() + Math.min(HOUR_MS, Math.max(waitMs, known?.retryAfterMs ?? 0));
    return false;
  }

  return {
    async deliver(board, channel, isUrgent) {
      // Not for long: in the next turn one has to say again that one leads.
      const untilMs = performance.now() + deadlineMs;
      while (performance.now() < untilMs) {
        const notices = nextOf(board, channel, isUrgent);
        if (notices.length === 0 || !(await send(board, channel, notices))) return;
      }
    },
  };
}

/** Hands a message over; rejects when the time is up, whether the channel heeds its signal or not. */
export async function within(
  deadlineMs: number,
  channel: AlertChannel,
  message: AlertMessage,
): Promise<void> {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      controller.abort();
      reject(new DeliveryError(`it took longer than ${deadlineMs} ms`));
    }, deadlineMs);
  });
  try {
    await Promise.race([channel.send(message, controller.signal), expired]);
  } finally {
    clearTimeout(timer);
  }
}

/** Whether the news has meanwhile become part of another incident. */
function isExplainedBy(board: Board, { kind, incident }: Notice, judge: Judge): boolean {
  const current = board.incidents.get(incident.id);
  return kind !== 'over' && current?.openedMs === incident.openedMs && judge.isExplained(board, current);
}

function isOnlyNotice(outbox: Outbox, { kind, incident }: Notice): boolean {
  return kind === 'over' && outbox.notices.filter((other) => other.incident.id === incident.id).length === 1;
}

/** What is told within the incident: titles of those that follow from it. */
function alsoOf(board: Board, id: string, judge: Judge): string[] {
  const current = board.incidents.get(id);
  if (current === undefined) return [];
  return [...board.incidents.values()]
    .filter((other) => judge.explains(current, other))
    .map(({ title }) => title);
}

function remove(outbox: Outbox, notices: readonly Notice[]): void {
  const ids = new Set(notices.map(({ id }) => id));
  outbox.notices = outbox.notices.filter(({ id }) => !ids.has(id));
}

function publish(channel: AlertChannel, notices: readonly Notice[], outcome: 'sent' | 'failed'): void {
  if (!signals.alertSent.hasSubscribers) return;
  for (const { incident } of notices)
    signals.alertSent.publish({ rule: incident.rule, channel: channel.name, outcome });
}
