import type { SingleClient } from './client.js';

/** A channel, or a pattern of channels: `=name` or `~pattern`. */
export type Topic = `${'=' | '~'}${string}`;

export function topicOf(channel: string, isPattern = false): Topic {
  return isPattern ? `~${channel}` : `=${channel}`;
}

export async function subscribeTo(client: SingleClient, topics: readonly Topic[]): Promise<void> {
  const channels = topics.filter((topic) => topic.startsWith('=')).map(nameOf);
  const patterns = topics.filter((topic) => topic.startsWith('~')).map(nameOf);
  await Promise.all([
    channels.length > 0 && client.subscribe(...channels),
    patterns.length > 0 && client.psubscribe(...patterns),
  ]);
}

export function unsubscribeFrom(client: SingleClient, topic: Topic): Promise<unknown> {
  return topic.startsWith('~') ? client.punsubscribe(nameOf(topic)) : client.unsubscribe(nameOf(topic));
}

function nameOf(topic: Topic): string {
  return topic.slice(1);
}
