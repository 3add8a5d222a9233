import { signals } from '@signalbox/signals';
import type { Instruments } from '../instruments.js';
import type { Hear } from './hear.js';

/** Sessions and tokens: how many, and how they fare; never whose. */
export function identityFeatures(define: Instruments, hear: Hear): void {
  const sessions = define.counter('signalbox_session_events_total', 'What happened to sessions.', ['event']);
  hear(signals.sessionEvent, ({ event }) => {
    sessions.of(event).value += 1;
  });

  const tokens = define.counter(
    'signalbox_token_events_total',
    'What happened to tokens and API keys. `code` says why one was refused.',
    ['event', 'kind', 'code'],
  );
  hear(signals.tokenEvent, ({ event, kind, code }) => {
    tokens.of(event, kind, code ?? '').value += 1;
  });
}
