import { RedisReplyError, type RedisLink } from '@signalbox/redis';
import type { Message } from './outbox.js';

/** Knows how many servers listen in each namespace, so that it is seen whether they are all back. */
export interface Listeners {
  /** So many heard the message. */
  heardBy(message: Message, servers: number): void;
  /** Whether as many listen to these as did before; at least one. */
  areBack(messages: readonly Message[]): Promise<boolean>;
}

export function createListeners(link: RedisLink): Listeners {
  const before = new Map<string, number>();

  return {
    heardBy({ listenedOn }, servers) {
      if (servers > 0) before.set(listenedOn, servers);
    },
    async areBack(messages) {
      // One server of a cluster knows only of those that are connected to it.
      if (link.cluster) return true;
      const channels = [...new Set(messages.map(({ listenedOn }) => listenedOn))];
      const counts = await subscribers(link, channels);
      return channels.every((channel, index) => (counts[index] ?? 0) >= (before.get(channel) ?? 1));
    },
  };
}

/** How many listen on each channel. Every adapter listens on one that is its namespace's alone. */
async function subscribers(link: RedisLink, channels: readonly string[]): Promise<readonly number[]> {
  try {
    const reply = await link.command('pubsub', 'numsub', ...channels);
    return Array.isArray(reply) ? reply.filter((_each, index) => index % 2 === 1).map(Number) : [];
  } catch (error) {
    // This user may publish, but not ask.
    if (error instanceof RedisReplyError) return channels.map(() => Infinity);
    throw error;
  }
}
