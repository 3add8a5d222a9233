import { RedisUnavailableError, type RedisLink } from '@signalbox/redis';
import { EmitterQueueFullError } from './errors.js';
import { onLinkChange } from './on-link-change.js';
import { published, type EmitReceipt, type Message, type Outbox } from './outbox.js';
import { closed, tell, watchRedis } from './outcome.js';
import { within } from './within.js';

/** How many events wait for the first connection. */
const MAX_WAITING = 1_000;

/**
 * Publishes at once, or refuses. Only a link that has not been connected yet is waited for: a script would else lose
 * what it says first.
 */
export function createDirectOutbox(link: RedisLink, deadlineMs: number): Outbox {
  const outage = watchRedis(link);
  const underWay = new Set<Promise<unknown>>();
  let waiting = 0;
  let sent = 0;
  let dropped = 0;
  let isClosed = false;

  let isConnecting = link.state === 'connecting';
  let connected: (() => void) | undefined;
  const connection = new Promise<void>((resolve) => (connected = resolve));
  const endWatch = onLinkChange(link, (error) => {
    // One that takes long is called down as well, and may yet come.
    const isSlow = link.state === 'down' && error === undefined;
    if (link.state !== 'connecting' && !isSlow) waitNoMore();
  });

  function waitNoMore(): void {
    isConnecting = false;
    connected?.();
  }

  async function publish({ channel, body }: Message): Promise<EmitReceipt> {
    return published(await link.command('publish', channel, body));
  }

  /** As {@link publish}, in turn, once there has been a connection or a failure to make one. */
  async function publishLater(message: Message): Promise<EmitReceipt> {
    if (waiting >= MAX_WAITING) throw new EmitterQueueFullError(waiting);
    let isLate = false;
    const publishing = async (): Promise<EmitReceipt> => {
      waiting += 1;
      await connection;
      waiting -= 1;
      if (isLate) throw late('no connection');
      return publish(message);
    };
    return within(publishing(), deadlineMs, () => {
      isLate = true;
      if (link.state === 'down') waitNoMore();
      throw late('no connection');
    });
  }

  function late(words: string): RedisUnavailableError {
    return new RedisUnavailableError(link.name, 'timeout', `${words} within ${deadlineMs} ms`);
  }

  function attempt(message: Message): Promise<EmitReceipt> {
    if (isClosed) return Promise.reject(closed(link));
    if (isConnecting || waiting > 0) return publishLater(message);
    if (link.deadlineMs <= deadlineMs) return publish(message);
    return within(publish(message), deadlineMs, () => {
      throw late('no answer to publish');
    });
  }

  async function send(message: Message): Promise<EmitReceipt> {
    try {
      const receipt = await attempt(message);
      sent += 1;
      outage.works();
      tell(message, 'ok');
      return receipt;
    } catch (error) {
      dropped += 1;
      if (error instanceof RedisUnavailableError && error.reason !== 'closed') {
        outage.failed(error, 'unavailable');
      }
      tell(message, 'error');
      throw error;
    }
  }

  return {
    send(message) {
      const sending = send(message);
      const settled = sending
        .catch(() => undefined)
        .then(() => {
          underWay.delete(settled);
        });
      underWay.add(settled);
      return sending;
    },
    report: () => ({ queued: underWay.size, queuedBytes: 0, sent, dropped }),
    flush: (timeoutMs) =>
      within(
        Promise.all(underWay).then(() => true),
        timeoutMs,
        () => false,
      ),
    async close() {
      isClosed = true;
      // Each has a deadline of its own.
      await Promise.all(underWay);
      endWatch();
      outage.close();
    },
  };
}
