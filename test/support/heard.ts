import { signals, type FeatureState, type Signal } from '@signalbox/signals';
import { onTestFinished } from 'vitest';

/** What a signal publishes, from now on until the test ends. */
export function heard<Payload extends object>(signal: Signal<Payload>): Payload[] {
  const payloads: Payload[] = [];
  onTestFinished(signal.subscribe((payload) => void payloads.push(payload)));
  return payloads;
}

/**
 * What becomes of the features whose names begin so. Of others there may be something to hear: files of tests share a
 * process, and an outage of the one before may end only now.
 */
export function heardFeature(beginning: string): FeatureState[] {
  const states: FeatureState[] = [];
  const hear = (state: FeatureState): void =>
    void (state.feature.startsWith(beginning) && states.push(state));
  onTestFinished(signals.featureState.subscribe(hear));
  return states;
}
