import { signals } from '@signalbox/signals';
import type { RedisClient } from './client.js';
import { connectionFailure } from './failure.js';
import type { RedisLinkStateName } from './link.js';

/** How long a link counts as connecting before it is called down, in milliseconds, unless a command may take longer. */
const BOOT_MS = 1_000;
/** In steps, since one that comes late says that the event loop stood still, as at a start, and nothing about Redis. */
const BOOT_STEPS = 10;

/** What is known of the connection. */
export interface Connection {
  readonly state: RedisLinkStateName;
  /** Settles when the first connection is there, or could not be made; `undefined` once that is over. */
  readonly first: Promise<void> | undefined;
  /** Why there is none, where the client said so. */
  readonly lastError: Error | undefined;
  /** Looks again, since the breaker changed. */
  update(): void;
  close(): void;
}

/**
 * Follows a client's events. Its errors end here: an `error` event without a listener would end the process,
 * or be printed over and over.
 */
export function watchConnection(
  { name, deadlineMs }: { name: string; deadlineMs: number },
  client: RedisClient,
  hears: { isUsable(): boolean; connected(lostAt: number | undefined): void },
): Connection {
  let state: RedisLinkStateName = 'connecting';
  let lastError: Error | undefined;
  let lostAt: number | undefined;
  let hasSettled = false;
  let isClosed = false;
  let endFirst = (): void => undefined;
  let first: Promise<void> | undefined = new Promise((resolve) => {
    endFirst = resolve;
  });

  function update(): void {
    const next = currentState();
    if (next === state) return;
    state = next;
    first = undefined;
    endFirst();
    signals.redisLinkState.publish({ link: name, state, error: state === 'up' ? undefined : lastError });
  }

  function currentState(): RedisLinkStateName {
    if (isClosed || client.status === 'end') return 'closed';
    if (client.status === 'ready' && hears.isUsable()) {
      hasSettled = true;
      return 'up';
    }
    return hasSettled ? 'down' : 'connecting';
  }

  const onError = (error: unknown): void => {
    lastError = connectionFailure(name, error);
    hasSettled = true;
    update();
  };
  const onReady = (): void => {
    lastError = undefined;
    hears.connected(lostAt);
    lostAt = undefined;
    update();
  };
  const onClose = (): void => {
    // Before its first connection there was nothing to lose.
    if (state !== 'connecting') lostAt ??= performance.now();
    onLate();
  };
  const onLate = (): void => {
    hasSettled = true;
    update();
  };
  const listeners: readonly [string, (...args: unknown[]) => void][] = [
    ['error', onError],
    ['ready', onReady],
    ['close', onClose],
    ['end', update],
    ['connecting', update],
  ];
  for (const [event, listener] of listeners) client.on(event, listener);
  let steps = 0;
  const bootTimer = setInterval(() => {
    steps += 1;
    if (steps < BOOT_STEPS && state === 'connecting') return;
    clearInterval(bootTimer);
    onLate();
  }, Math.max(BOOT_MS, deadlineMs) / BOOT_STEPS).unref();
  signals.redisLinkState.publish({ link: name, state: 'connecting', error: undefined });
  update();

  return {
    get state() {
      return state;
    },
    get first() {
      return first;
    },
    get lastError() {
      return lastError;
    },
    update,
    close() {
      isClosed = true;
      clearInterval(bootTimer);
      for (const [event, listener] of listeners) client.off(event, listener);
      update();
    },
  };
}
