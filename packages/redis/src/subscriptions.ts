import { outsideRequests } from '@signalbox/context';
import { requireBoolean, requireFunction, wrongOption } from '@signalbox/options';
import type { SingleClient } from './client.js';
import { isReply } from './failure.js';
import { jittered } from './jitter.js';
import type { RedisLink } from './link.js';
import { subscribeTo, topicOf, unsubscribeFrom, type Topic } from './topics.js';

/** Pause between PINGs on a connection that is otherwise silent, in milliseconds. */
const HEARTBEAT_MS = 2_000;
/** How long a connection has for an answer, be it to a PING or to the first commands. */
const SILENCE_MS = 1_000;
/** How long making one may take, with the questions to each Sentinel. */
const CONNECT_MS = 5_000;
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 320;

/**
 * How a connection for subscriptions differs from the client it is made of: it does not reconnect, since
 * another is made, and has no timers that take a silent channel for a dead one.
 */
export const SUBSCRIBER: object = {
  lazyConnect: false,
  disconnectTimeout: 100,
  retryStrategy: null,
  reconnectOnError: null,
  autoResubscribe: false,
  enableOfflineQueue: false,
  commandTimeout: undefined,
  socketTimeout: undefined,
  readOnly: false,
  failoverDetector: false,
  keyPrefix: '',
};

interface Listener {
  hear(message: Buffer, channel: string): void;
  onGap: (() => void) | undefined;
}

export interface Subscriptions {
  subscribe: RedisLink['subscribe'];
  subscribeBytes: RedisLink['subscribeBytes'];
  /**
   * The link was connected anew at a time when it had been lost before. A connection from before that may
   * lead to a server that is no primary any more, and hears little.
   */
  renew(lostAt: number): void;
  /** A server has left its cluster: it goes on answering, and hears nothing of what others are told. */
  leave(server: SingleClient): void;
  close(): void;
}

/**
 * Keeps one connection for all channels, from the first subscription to the last. It is made by us each time,
 * so that it is known when messages may have been missed, and so that in a cluster it may lead elsewhere.
 *
 * @param open makes a connection that does not reconnect; `undefined` when there is nowhere to connect to
 */
export function createSubscriptions(open: () => SingleClient | undefined): Subscriptions {
  const topics = new Map<Topic, Set<Listener>>();
  /** What the server does not let its user hear; it is asked again, since that may change. */
  const refused = new Set<Topic>();
  let client: SingleClient | undefined;
  let retry: NodeJS.Timeout | undefined;
  let heartbeat: NodeJS.Timeout | undefined;
  let attempts = 0;
  let connectedAt = -Infinity;
  let hasLostMessages = false;
  let hasWarned = false;
  let isClosed = false;

  function connect(): void {
    retry = undefined;
    // What it hears is for all, whoever was the first to listen.
    const opened = outsideRequests(open);
    if (opened === undefined) {
      lost(undefined);
      return;
    }
    client = opened;
    connectedAt = performance.now();
    // The end says it as well.
    opened.on('error', () => undefined);
    opened.on('messageBuffer', (channel, message) => {
      deliver(topicOf(String(channel)), message as Buffer, String(channel));
    });
    opened.on('pmessageBuffer', (pattern, channel, message) => {
      deliver(topicOf(String(pattern), true), message as Buffer, String(channel));
    });
    opened.on('connect', () => expectWithin(SILENCE_MS, opened));
    opened.on('ready', () => {
      // What made it ready was an answer, too: after a pause of this process the next one has its time all the same.
      expectWithin(SILENCE_MS, opened);
      void resubscribe(opened);
    });
    opened.on('end', () => lost(opened));
    expectWithin(CONNECT_MS, opened);
  }

  /** Gives the connection up unless it shows a sign of life before the time is up. */
  function expectWithin(ms: number, expected: SingleClient): void {
    if (expected !== client) return;
    clearTimeout(heartbeat);
    const expiry = setTimeout(() => {
      // What has arrived while the event loop stood still is read first.
      setImmediate(() => expiry === heartbeat && drop(expected));
    }, ms).unref();
    heartbeat = expiry;
  }

  async function resubscribe(to: SingleClient): Promise<void> {
    refused.clear();
    await ask(to, [...topics.keys()]);
    if (to !== client) return;
    attempts = 0;
    if (refused.size === 0) hasWarned = false;
    beat(to);
    if (hasLostMessages) tellOfGap([...topics.keys()]);
    hasLostMessages = false;
  }

  /** Asks for topics, and gives the connection up if it cannot be asked. */
  async function ask(to: SingleClient, wanted: readonly Topic[]): Promise<void> {
    try {
      if (wanted.length > 0) await subscribeTo(to, wanted);
    } catch (error) {
      warnOfRefusal(error);
      if (!(error instanceof Error) || !error.message.startsWith('NOPERM')) return drop(to);
      const [only, ...more] = wanted;
      // One by one: what may not be heard takes nothing from the others.
      if (more.length > 0) await Promise.all(wanted.map((topic) => ask(to, [topic])));
      else if (only !== undefined && topics.has(only)) refused.add(only);
    }
  }

  async function askAgain(to: SingleClient): Promise<void> {
    const wanted = [...refused];
    refused.clear();
    await ask(to, wanted);
    if (to === client) tellOfGap(wanted.filter((topic) => !refused.has(topic)));
  }

  /** Such as NOPERM: it is tried again for ever, and somebody should know. */
  function warnOfRefusal(error: unknown): void {
    if (hasWarned || !(error instanceof Error) || !isReply(error)) return;
    hasWarned = true;
    process.emitWarning(`Redis refuses a subscription: ${error.message}`);
  }

  function beat(to: SingleClient): void {
    clearTimeout(heartbeat);
    heartbeat = setTimeout(() => {
      expectWithin(SILENCE_MS, to);
      const isAlive = (): void => {
        if (to !== client) return;
        beat(to);
        if (refused.size > 0) void askAgain(to);
      };
      // A user of Redis who may not send PING has an answer all the same.
      to.ping().then(isAlive, (error: Error) => (isReply(error) ? isAlive() : drop(to)));
    }, HEARTBEAT_MS).unref();
  }

  function drop(dropped: SingleClient): void {
    dropped.disconnect();
    lost(dropped);
  }

  function lost(gone: SingleClient | undefined): void {
    if (isClosed || gone !== client) return;
    client = undefined;
    clearTimeout(heartbeat);
    if (topics.size === 0 || retry !== undefined) return;
    hasLostMessages = true;
    const pauseMs = jittered(Math.min(FIRST_PAUSE_MS * 2 ** attempts, MAX_PAUSE_MS));
    attempts += 1;
    retry = setTimeout(connect, pauseMs).unref();
  }

  function deliver(topic: Topic, message: Buffer, channel: string): void {
    for (const listener of Array.from(topics.get(topic) ?? [])) {
      guarded(() => listener.hear(message, channel));
    }
  }

  function tellOfGap(about: readonly Topic[]): void {
    for (const topic of about) {
      for (const { onGap } of Array.from(topics.get(topic) ?? [])) if (onGap !== undefined) guarded(onGap);
    }
  }

  function add(topic: Topic, listener: Listener): void {
    const known = topics.get(topic);
    if (known !== undefined) {
      known.add(listener);
      return;
    }
    topics.set(topic, new Set([listener]));
    if (client === undefined) {
      if (retry === undefined) connect();
    } else if (client.status === 'ready') {
      void ask(client, [topic]);
    }
  }

  function remove(topic: Topic, listener: Listener): void {
    const listeners = topics.get(topic);
    if (!listeners?.delete(listener) || listeners.size > 0) return;
    topics.delete(topic);
    refused.delete(topic);
    if (topics.size === 0) stop();
    else if (client?.status === 'ready') unsubscribeFrom(client, topic).catch(() => undefined);
  }

  function stop(): void {
    clearTimeout(retry);
    clearTimeout(heartbeat);
    retry = undefined;
    hasLostMessages = false;
    const stopped = client;
    client = undefined;
    stopped?.disconnect();
  }

  function listen(topic: Topic, listener: Listener): () => void {
    if (isClosed) return () => undefined;
    add(topic, listener);
    return () => remove(topic, listener);
  }

  return {
    subscribe(channel, listener, options = {}) {
      requireChannel('subscribe', channel);
      requireFunction('subscribe', 'listener', listener);
      const { onGap } = options;
      if (onGap !== undefined) requireFunction('subscribe', 'onGap', onGap);
      return listen(topicOf(channel), { hear: (message) => listener(message.toString()), onGap });
    },
    subscribeBytes(channel, listener, options = {}) {
      requireChannel('subscribeBytes', channel);
      requireFunction('subscribeBytes', 'listener', listener);
      const { onGap, pattern = false } = options;
      if (onGap !== undefined) requireFunction('subscribeBytes', 'onGap', onGap);
      requireBoolean('subscribeBytes', 'pattern', pattern);
      return listen(topicOf(channel, pattern), { hear: listener, onGap });
    },
    renew(lostAt) {
      if (client !== undefined && connectedAt < lostAt) drop(client);
    },
    leave({ options: { host, port } }) {
      if (client !== undefined && client.options.host === host && client.options.port === port) drop(client);
    },
    close() {
      isClosed = true;
      topics.clear();
      stop();
    },
  };
}

function requireChannel(owner: string, channel: unknown): void {
  if (typeof channel === 'string' && channel !== '') return;
  throw wrongOption(owner, 'channel', 'a non-empty string', channel);
}

/** What one listener throws reaches neither the others nor ioredis. */
function guarded(call: () => void): void {
  try {
    call();
  } catch (error) {
    process.emitWarning(error instanceof Error ? error : new Error(String(error)));
  }
}
