import { signals } from '@signalbox/signals';
import type { RedisLink } from '@signalbox/redis';

/**
 * Calls `changed` whenever the link may have changed its state, with why it is down, where that is known. Returns a
 * function that ends that.
 */
export function onLinkChange(link: RedisLink, changed: (error: unknown) => void): () => void {
  return signals.redisLinkState.subscribe(({ link: name, error }) => {
    // Several links may have one name: whoever is called looks at the link itself.
    if (name === link.name) changed(error);
  });
}
