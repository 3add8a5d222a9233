import {
  RedisReplyError,
  RedisUnavailableError,
  watchOutage,
  type Outage,
  type RedisLink,
} from '@signalbox/redis';
import { signals, type Emitted } from '@signalbox/signals';
import type { Message } from './outbox.js';

/** Says what became of an event. */
export function tell({ event }: Message, outcome: Emitted['outcome']): void {
  if (event === undefined || !signals.emitted.hasSubscribers) return;
  signals.emitted.publish({ event, outcome });
}

/**
 * Says when events begin not to get out, and when that is over.
 *
 * @param isBehind whether some still wait, so that it is not over
 */
export function watchRedis(link: RedisLink, isBehind: () => boolean = () => false): Outage {
  return watchOutage({
    feature: 'emitter',
    begins: 'Redis does not take events',
    ends: 'Redis takes events again',
    async probe() {
      if (isBehind()) throw new Error('events wait');
      try {
        await link.command('ping');
      } catch (error) {
        // A refusal is an answer.
        if (!(error instanceof RedisReplyError)) throw error;
      }
    },
  });
}

export function closed(link: RedisLink): RedisUnavailableError {
  return new RedisUnavailableError(link.name, 'closed', 'the emitter is closed');
}
