import { signals } from '@signalbox/signals';
import type { Instruments } from '../instruments.js';
import type { Hear } from './hear.js';

/** Sockets and what is emitted to them. */
export function realtimeFeatures(define: Instruments, hear: Hear): void {
  const connected = define.gauge('signalbox_sockets_connected', 'Sockets that are connected.', ['namespace']);
  const changes = define.counter(
    'signalbox_socket_changes_total',
    'Sockets that came, went or were refused.',
    ['namespace', 'state'],
  );
  hear(signals.socketState, ({ namespace, state }) => {
    changes.of(namespace, state).value += 1;
    const cell = connected.of(namespace);
    if (state === 'connected') cell.value += 1;
    // A socket that came before we listened may go after.
    if (state === 'disconnected') cell.value = Math.max(0, cell.value - 1);
  });

  const emitted = define.counter('signalbox_emitted_total', 'Messages emitted towards sockets.', [
    'event',
    'outcome',
  ]);
  hear(signals.emitted, ({ event, outcome }) => {
    emitted.of(event, outcome).value += 1;
  });
}
