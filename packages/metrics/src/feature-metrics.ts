import type { Registry } from 'prom-client';
import { storeFeatures, upstreamFeatures } from './features/dependencies.js';
import type { Hear } from './features/hear.js';
import { identityFeatures } from './features/identity.js';
import { operationFeatures } from './features/operations.js';
import { realtimeFeatures } from './features/realtime.js';
import { requestFeatures } from './features/requests.js';
import { instruments } from './instruments.js';

/** What listens to the signals: between `start` and `stop`, and again after the next `start`. */
export interface FeatureMetrics {
  start(): void;
  stop(): void;
}

/** Registers the metrics of features, made of the signals that packages publish. */
export function featureMetrics(registry: Registry, maxSeries: number): FeatureMetrics {
  const define = instruments(registry, maxSeries);
  const subscriptions: (() => () => void)[] = [];
  const hear: Hear = (signal, listener) => void subscriptions.push(() => signal.subscribe(listener));

  requestFeatures(define, hear);
  identityFeatures(define, hear);
  upstreamFeatures(define, hear);
  storeFeatures(define, hear);
  realtimeFeatures(define, hear);
  operationFeatures(define, hear);

  let unsubscribes: (() => void)[] = [];
  return {
    start() {
      if (unsubscribes.length === 0) unsubscribes = subscriptions.map((subscribe) => subscribe());
    },
    stop() {
      for (const unsubscribe of unsubscribes) unsubscribe();
      unsubscribes = [];
    },
  };
}
