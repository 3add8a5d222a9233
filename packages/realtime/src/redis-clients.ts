import { outsideRequests } from '@signalbox/context';
import { type RedisLink, watchOutage } from '@signalbox/redis';
import { signals } from '@signalbox/signals';

/**
 * What the Redis adapter of Socket.IO needs of two ioredis clients, on a link: so that nothing waits for a Redis that is
 * gone, nothing queues up, and what comes from Redis cannot end the process, whatever it is.
 */
export interface RedisClients {
  readonly publisher: object;
  readonly subscriber: object;
  isDegraded(): boolean;
  close(): void;
}

/** How many nodes a cluster is taken to have, for which nobody can tell: all the time is waited for their answers. */
const UNKNOWN_COUNT = 1_000;

export function redisClients(link: RedisLink): RedisClients {
  const outage = watchOutage({
    feature: 'realtime',
    probe: () => link.command('ping'),
    begins: 'Events reach the sockets of this process only',
    ends: 'Events reach all processes again',
  });
  const failed = (error: unknown): void => outage.failed(error, 'local');
  // Also where nothing is sent: nothing would arrive, either.
  const unwatch = signals.redisLinkState.subscribe(({ link: name, state, error }) => {
    if (name !== link.name || link.state !== state) return;
    if (state === 'down') failed(error);
    if (state === 'up') outage.works();
  });
  const subscriber = createSubscriber(link);

  return {
    publisher: createPublisher(link, failed),
    subscriber,
    isDegraded: () => link.state !== 'up',
    close() {
      unwatch();
      outage.close();
      subscriber.close();
    },
  };
}

type Callback = (error: unknown, answer?: unknown) => void;

/** Sends, or does not: the sockets of this process have got the event in any case. */
function createPublisher(link: RedisLink, failed: (error: unknown) => void): object {
  return {
    publish(channel: string, message: string | Buffer): void {
      // What the sockets of this process hear after the deadline of the request that says it, all hear.
      outsideRequests(() => link.command('publish', channel, message)).catch(failed);
    },
    /** Asks how many nodes there are. */
    send_command(_name: string, [, channel = '']: readonly string[], done: Callback): void {
      void countNodes(link, channel, done);
    },
    on: () => undefined,
    off: () => undefined,
  };
}

async function countNodes(link: RedisLink, channel: string, done: Callback): Promise<void> {
  let answer: unknown;
  try {
    answer = link.cluster ? [channel, UNKNOWN_COUNT] : await link.command('pubsub', 'numsub', channel);
  } catch (error) {
    return done(error);
  }
  done(undefined, answer);
}

type Listener = (...args: unknown[]) => unknown;

/** Each namespace has an adapter, and all of them listen here. */
class Subscriber {
  private readonly listeners: Map<string, Set<Listener>> = new Map();
  private readonly ends: Map<string, () => void> = new Map();
  private hasWarned = false;

  constructor(private readonly link: RedisLink) {}

  on(event: string, listener: Listener): this {
    const known = this.listeners.get(event) ?? new Set();
    this.listeners.set(event, known.add(listener));
    return this;
  }

  off(event: string, listener: Listener): this {
    this.listeners.get(event)?.delete(listener);
    return this;
  }

  subscribe(channels: readonly string[]): void {
    for (const channel of channels) {
      const hear = (message: Buffer): void => this.tell('messageBuffer', channel, message);
      this.ends.set(channel, this.link.subscribeBytes(channel, hear));
    }
  }

  psubscribe(pattern: string): void {
    const hear = (message: Buffer, channel: string): void => {
      this.tell('pmessageBuffer', pattern, channel, message);
    };
    this.ends.set(pattern, this.link.subscribeBytes(pattern, hear, { pattern: true }));
  }

  unsubscribe(channels: readonly string[]): void {
    for (const channel of channels) this.punsubscribe(channel);
  }

  punsubscribe(pattern: string): void {
    this.ends.get(pattern)?.();
    this.ends.delete(pattern);
  }

  close(): void {
    for (const end of this.ends.values()) end();
    this.ends.clear();
  }

  /** Anybody who can publish to Redis can publish this: the adapter throws, or rejects, on what it cannot read. */
  private tell(event: string, ...args: unknown[]): void {
    for (const listener of this.listeners.get(event) ?? []) {
      try {
        Promise.resolve(listener(...args)).catch((error: unknown) => this.warn(error));
      } catch (error) {
        this.warn(error);
      }
    }
  }

  private warn(error: unknown): void {
    if (this.hasWarned) return;
    this.hasWarned = true;
    const words = error instanceof Error ? error.message : String(error);
    process.emitWarning(`realtime: what another node sent cannot be read, and is passed over: ${words}`);
  }
}

function createSubscriber(link: RedisLink): Subscriber {
  return new Subscriber(link);
}
