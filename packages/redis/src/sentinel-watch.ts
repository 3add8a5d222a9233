import type { SingleClient } from './client.js';
import { canReconnect } from './handshake.js';
import { createSubscriptions, SUBSCRIBER } from './subscriptions.js';

/**
 * Hears from Sentinel that another server has become the primary. The old one, where it still works, takes
 * writes for some ten seconds more, which are lost when it is made a replica.
 *
 * ioredis has `failoverDetector` for this, which prints an error over and over when a Sentinel is gone.
 *
 * @returns a function that ends the watch; `undefined` when the client does not ask Sentinel, or listens itself
 */
export function watchSentinels(client: SingleClient): (() => void) | undefined {
  const { sentinels, name, role, failoverDetector, ...options } = client.options;
  if (!sentinels?.length || failoverDetector || role === 'slave') return undefined;
  let next = 0;

  const watch = createSubscriptions(() => {
    // Another one each time: the last may be dead.
    const { host, port = 26_379 } = sentinels[next++ % sentinels.length] ?? {};
    const override = {
      ...SUBSCRIBER,
      host,
      port,
      sentinels: null,
      name: null,
      db: 0,
      enableReadyCheck: false,
      username: options.sentinelUsername ?? null,
      password: options.sentinelPassword ?? null,
      tls: options.sentinelTLS,
    };
    return client.duplicate(override as never);
  });
  watch.subscribe('+switch-master', (message) => {
    if (!message.startsWith(`${name ?? ''} `)) return;
    if (client.status === 'ready' && canReconnect(client)) client.disconnect(true);
  });
  return () => watch.close();
}
