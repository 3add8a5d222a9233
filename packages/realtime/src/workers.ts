import cluster from 'node:cluster';
import { randomUUID } from 'node:crypto';
import { setupPrimary } from '@socket.io/cluster-adapter';

let isRelaying = false;

/**
 * For the primary of node:cluster, where there is no Redis: passes what workers emit on to the other workers. Bytes in
 * events need `cluster.setupPrimary({ serialization: 'advanced' })` before the workers are forked.
 *
 * @throws {TypeError} in a worker
 *
 * @example
 * if (cluster.isPrimary) {
 *   relayBetweenWorkers();
 *   for (let index = 0; index < 4; index += 1) cluster.fork();
 * }
 */
export function relayBetweenWorkers(): void {
  if (!cluster.isPrimary)
    throw new TypeError('relayBetweenWorkers: this is for the primary, and this is a worker');
  if (isRelaying) return;
  isRelaying = true;
  setupPrimary();
}

/** How long the primary has to pass a message back. */
const ECHO_MS = 3_000;

/** Whether the primary passes messages on: without that workers would be alone, each for itself, and nobody would know. */
export interface PrimaryWatch {
  isRelaying(): boolean;
  close(): void;
}

/**
 * Sends a message that the adapter's half in the primary gives back to the sender: an answer to a question of its own, in a
 * namespace that there is not.
 */
export function watchPrimary(): PrimaryWatch {
  const probe = randomUUID();
  let hasEcho = false;
  const hear = (message: unknown): void => {
    if (typeof message === 'object' && message !== null && 'probe' in message && message.probe === probe)
      settle(true);
  };
  const timer = setTimeout(() => {
    settle(false);
    process.emitWarning(
      'realtime: the primary does not pass events between workers: call relayBetweenWorkers() there, or give "redis"',
    );
  }, ECHO_MS).unref();

  function settle(found: boolean): void {
    hasEcho = found;
    close();
  }

  function close(): void {
    clearTimeout(timer);
    process.off('message', hear);
  }

  process.on('message', hear);
  const FETCH_SOCKETS_RESPONSE = 8;
  const message = { source: '_sio_adapter', type: FETCH_SOCKETS_RESPONSE, uid: probe, requesterUid: probe };
  process.send?.({ ...message, nsp: 'signalbox:probe', probe, data: {} }, undefined, {}, () => undefined);
  return { isRelaying: () => hasEcho, close };
}
