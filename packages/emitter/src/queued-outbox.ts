import { outsideRequests } from '@signalbox/context';
import { RedisUnavailableError, type RedisLink } from '@signalbox/redis';
import { createEventQueue, type QueuedEvent } from './event-queue.js';
import { createListeners } from './listeners.js';
import { onLinkChange } from './on-link-change.js';
import type { QueueSettings } from './options.js';
import { published, type Message, type Outbox } from './outbox.js';
import { closed, tell, watchRedis } from './outcome.js';
import { openPublisher, type PublishAnswer } from './publisher.js';
import { within } from './within.js';

/** One call carries at most so much. */
const MAX_BATCH = 128;
const MAX_BATCH_BYTES = 262_144;

const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 1_000;
/** How often it is looked whether the servers are back. */
const SETTLE_PAUSE_MS = 50;

/**
 * Keeps what Redis does not take, and publishes all of it in order, each once: one call is under way at a time, and
 * what came meanwhile goes with the next.
 */
export function createQueuedOutbox(
  link: RedisLink,
  deadlineMs: number,
  settings: QueueSettings,
  prefix: string,
): Outbox {
  const queue = createEventQueue(settings);
  const listeners = createListeners(link);
  const publisher = openPublisher(link, prefix);
  const outage = watchRedis(link, () => queue.length > 0);
  const waitingForEnd: (() => void)[] = [];
  let sent = 0;
  let dropped = 0;
  /** Calls in a row that failed. */
  let failures = 0;
  /** Whether the servers listen, as far as is known; after an outage, until when they have time to. */
  let hasSettled = link.state !== 'down';
  let settledAt: number | undefined;
  let isSending = false;
  let isClosing = false;
  let isOver = false;
  let retry: NodeJS.Timeout | undefined;

  const canTry = (): boolean => link.state === 'up' || link.state === 'closed';

  const sendNext = (): void => {
    clearTimeout(retry);
    if (isSending || isOver || queue.length === 0 || !canTry()) return;
    // The deadline of the request that happened to emit is nothing to the events of others.
    outsideRequests(() => void sendBatch());
  };
  const endWatch = onLinkChange(link, () => {
    if (link.state === 'down') {
      settledAt = undefined;
      hasSettled = false;
      letAllGo();
    }
    sendNext();
  });

  async function sendBatch(): Promise<void> {
    isSending = true;
    dropOld();
    // After a failure fewer, lest they are too many for the deadline.
    const batch = queue.peek(Math.max(1, Math.floor(MAX_BATCH / 2 ** failures)), MAX_BATCH_BYTES);
    const messages = batch.map(({ message }) => message);
    try {
      if (await canBeHeard(messages)) {
        const servers = await publisher.publish(queue.firstNumber, messages);
        if (!isOver) succeed(queue.take(batch.length), servers);
      } else {
        retryIn(SETTLE_PAUSE_MS);
      }
    } catch (error) {
      if (!isOver) afterFailure(error, batch.length);
    }
    isSending = false;
    if (queue.length === 0) for (const tellEnd of waitingForEnd.splice(0)) tellEnd();
    else if (failures === 0 && hasSettled) sendNext();
  }

  /** Whether the servers, whose connections were lost as well, listen again; or have had their time. */
  async function canBeHeard(messages: readonly Message[]): Promise<boolean> {
    if (!hasSettled) {
      settledAt ??= performance.now() + settings.settleMs;
      hasSettled = (await listeners.areBack(messages)) || performance.now() >= settledAt;
    }
    return hasSettled;
  }

  function succeed(events: readonly QueuedEvent[], servers: readonly PublishAnswer[]): void {
    failures = 0;
    outage.works();
    events.forEach((event, index) => {
      const heardBy = servers[index] ?? -1;
      if (typeof heardBy !== 'number') return giveUp([event], heardBy, 'error');
      sent += 1;
      listeners.heardBy(event.message, heardBy);
      tell(event.message, 'ok');
      event.resolve(published(heardBy));
    });
  }

  function afterFailure(error: unknown, count: number): void {
    if (!(error instanceof RedisUnavailableError)) {
      // Wrong in itself, as where this user may not publish: it would be wrong again.
      giveUp(queue.take(count), error, 'error');
    } else if (error.reason === 'closed') {
      giveUp(queue.take(queue.length), error, 'dropped');
    } else {
      failures += 1;
      outage.failed(error, 'local');
      letAllGo();
      const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), MAX_PAUSE_MS);
      retryIn(pauseMs * (0.5 + Math.random() / 2));
    }
  }

  function retryIn(ms: number): void {
    clearTimeout(retry);
    retry = setTimeout(sendNext, ms).unref();
  }

  function giveUp(events: readonly QueuedEvent[], error: unknown, outcome: 'error' | 'dropped'): void {
    dropped += events.length;
    for (const event of events) {
      tell(event.message, outcome);
      event.reject(error);
    }
  }

  function dropOld(): void {
    const words = 'the event has waited too long';
    giveUp(queue.takeOld(), new RedisUnavailableError(link.name, 'timeout', words), 'dropped');
  }

  /** Nobody is kept waiting for an event that will wait itself. */
  function letGo(event: QueuedEvent): void {
    if (!event.isAwaited) return;
    tell(event.message, 'queued');
    event.leave();
  }

  function letAllGo(): void {
    for (const event of queue.all()) letGo(event);
  }

  function flush(timeoutMs: number): Promise<boolean> {
    if (queue.length === 0) return Promise.resolve(true);
    const end = new Promise<boolean>((resolve) => waitingForEnd.push(() => resolve(true)));
    return within(end, timeoutMs, () => false);
  }

  return {
    async send(message) {
      try {
        if (isClosing) throw closed(link);
        if (!isSending) dropOld();
        const event = queue.add(message);
        if (failures > 0 || !hasSettled) {
          outage.failed(undefined, 'local');
          letGo(event);
        } else {
          event.after(deadlineMs, letGo);
        }
        sendNext();
        return event.receipt;
      } catch (error) {
        dropped += 1;
        tell(message, 'dropped');
        throw error;
      }
    },
    report: () => ({ queued: queue.length, queuedBytes: queue.bytes, sent, dropped }),
    flush,
    async close() {
      isClosing = true;
      await flush(deadlineMs);
      isOver = true;
      clearTimeout(retry);
      endWatch();
      outage.close();
      giveUp(queue.take(queue.length), closed(link), 'dropped');
    },
  };
}
