import { randomUUID } from 'node:crypto';
import { outsideRequests } from '@signalbox/context';
import type { RedisLink } from '@signalbox/redis';
import type { Claim } from './store.js';

/** The right to make an entry, among processes. */
export interface Locks {
  claim(lock: string): Promise<Claim>;
}

const RELEASE = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`;
const RENEW = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0`;

/**
 * Locks that are renewed while their holder lives: one that dies loses them within `lockMs`, one that is slow keeps
 * them.
 */
export function lockOf(link: RedisLink, lockMs: number): Locks {
  const release = link.script('cache-release', RELEASE);
  const renew = link.script('cache-renew', RENEW);

  function hold(lock: string, token: string): Claim {
    const keep = (): unknown => renew([lock], [token, lockMs]).catch(ignore);
    // Whoever holds it may go on for longer than the request had time that began it.
    const timer = outsideRequests(() => setInterval(keep, lockMs / 3).unref());
    let isHeld = true;
    return {
      isMine: true,
      release() {
        if (!isHeld) return;
        isHeld = false;
        clearInterval(timer);
        outsideRequests(() => release([lock], [token])).catch(ignore);
      },
    };
  }

  return {
    async claim(lock) {
      const token = randomUUID();
      try {
        const reply = await link.command('set', lock, token, 'PX', lockMs, 'NX');
        return reply === 'OK' ? hold(lock, token) : SOMEBODY_ELSES;
      } catch {
        // Without Redis every process makes its own.
        return WITHOUT_LOCK;
      }
    },
  };
}

function ignore(): void {
  // It ends by itself.
}

const SOMEBODY_ELSES: Claim = { isMine: false, release: ignore };
const WITHOUT_LOCK: Claim = { isMine: true, release: ignore };
