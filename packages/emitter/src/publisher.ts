import { randomUUID } from 'node:crypto';
import { RedisReplyError, type RedisLink, type RedisReply } from '@signalbox/redis';
import type { Message } from './outbox.js';

/** How long the number of the last message is kept: as long as an outage may last with the data surviving it. */
const KEPT_MS = 24 * 60 * 60 * 1_000;

// The number is written before anything is published: where writing is refused, as by a replica, nothing has happened,
// and a call that arrives after its repetition, or twice, publishes nothing again. Where this user may not publish on
// one channel, that is said of this message alone.
const PUBLISH_ONCE = `
  local last = tonumber(redis.call('GET', KEYS[1]) or '0')
  local first = tonumber(ARGV[1])
  local count = (#ARGV - 2) / 2
  if first + count - 1 > last then
    redis.call('SET', KEYS[1], string.format('%.0f', first + count - 1), 'PX', ARGV[2])
  end
  local servers = {}
  for i = 1, count do
    if first + i - 1 <= last then
      servers[i] = -1
    else
      local answer = redis.pcall('PUBLISH', ARGV[2 * i + 1], ARGV[2 * i + 2])
      servers[i] = type(answer) == 'table' and answer.err or answer
    end
  end
  return servers
`;

export type PublishAnswer = number | RedisReplyError;

/** Publishes messages that have numbers, in order, each once, however often it is asked to. */
export interface Publisher {
  /**
   * Publishes those that have not been. A call that rejects may have happened, and is to be made again.
   *
   * @param first the number of the first message; each has the next
   * @returns how many servers heard each; −1 for those that an earlier call published; why it was refused
   */
  publish(first: number, messages: readonly Message[]): Promise<readonly PublishAnswer[]>;
}

export function openPublisher(link: RedisLink, prefix: string): Publisher {
  const key = `${prefix}{${randomUUID()}}`;
  const publishOnce = link.script('emit', PUBLISH_ONCE, {
    decode: (reply) => (Array.isArray(reply) ? reply.map((each) => answerOf(link, each)) : []),
  });
  let isInDoubt = false;

  /** How many of these the call before published after all: what was too long for its deadline is not sent again. */
  async function countDone(first: number, length: number): Promise<number> {
    const last = Number((await link.command('get', key)) ?? 0);
    return Math.min(Math.max(last - first + 1, 0), length);
  }

  return {
    async publish(first, messages) {
      const done = isInDoubt ? await countDone(first, messages.length) : 0;
      const servers = Array.from({ length: done }, (): PublishAnswer => -1);
      if (done === messages.length) return servers;

      const rest = messages.slice(done).flatMap(({ channel, body }) => [channel, body]);
      isInDoubt = true;
      const answers = await publishOnce([key], [first + done, KEPT_MS, ...rest]);
      isInDoubt = false;
      return [...servers, ...answers];
    },
  };
}

/** A client may be set to give numbers as text. */
function answerOf(link: RedisLink, reply: RedisReply): PublishAnswer {
  const text = String(reply);
  return /^-?\d+$/.test(text) ? Number(text) : new RedisReplyError(link.name, 'publish', text);
}
