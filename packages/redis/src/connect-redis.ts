import { wrongSecret } from '@signalbox/options';
import type { RedisOptions } from 'ioredis';
import { isClient, type RedisClient } from './client.js';
import { createLink } from './create-link.js';
import type { RedisLink } from './link.js';
import { resolveOptions, type LinkOptions, type LinkSettings } from './options.js';
import { openClient } from './own-client.js';

/** What a feature can keep its things in: a link, or an ioredis client of the app's own. */
export type RedisSource = RedisLink | RedisClient;

/** Links of clients that were handed in, so that all that is given one client shares one link. */
const links = new WeakMap<RedisClient, RedisLink>();

/**
 * Makes the link that a process asks Redis through. It connects in the background: a Redis that is not there
 * is no reason not to start.
 *
 * @param source where Redis is: `redis://`, `rediss://`, `unix://`, `redis+sentinel://h1,h2/name`,
 *   `redis+cluster://h1,h2`, or ioredis' options; or an ioredis client, which is used as it is and stays open
 * @throws {TypeError} when the source or an option is wrong
 *
 * @example
 * const redis = connectRedis('redis://127.0.0.1:6379', { deadlineMs: 50 });
 */
export function connectRedis(
  source: string | RedisOptions | RedisClient,
  options: LinkOptions = {},
): RedisLink {
  const settings = resolveOptions('connectRedis', options);
  if (!isClient(source)) return createLink(openClient(source), settings, true);
  if (links.has(source)) {
    throw new TypeError('connectRedis: "source" is a client that has a link already; share that one');
  }
  return linkOf(source, settings);
}

/**
 * The link of what a user hands in: a link itself, or a client, for which the same link is given each time.
 *
 * @throws {TypeError} when it is neither
 */
export function redisLink(source: RedisSource): RedisLink {
  if (isClient(source)) {
    return links.get(source) ?? linkOf(source, resolveOptions('redisLink', {}));
  }
  if (typeof source === 'object' && source !== null && 'sendCommand' in source && 'script' in source) {
    return source;
  }
  throw wrongSecret('redisLink', 'source', 'a RedisLink or an ioredis client', source);
}

function linkOf(client: RedisClient, settings: LinkSettings): RedisLink {
  const link = createLink(client, settings, false, () => links.delete(client));
  links.set(client, link);
  return link;
}
