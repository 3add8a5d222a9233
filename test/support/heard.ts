import type { Signal } from '@signalbox/signals';
import { onTestFinished } from 'vitest';

/** What a signal publishes, from now on until the test ends. */
export function heard<Payload extends object>(signal: Signal<Payload>): Payload[] {
  const payloads: Payload[] = [];
  onTestFinished(signal.subscribe((payload) => void payloads.push(payload)));
  return payloads;
}
