import { signals } from '@signalbox/signals';

/** Says when a feature begins to run by its failure policy, and when that ends. */
export interface FeatureWatch {
  works(): void;
  fails(reason: string): void;
}

export function featureWatch(feature: string, policy: 'open' | 'closed'): FeatureWatch {
  let isDegraded = false;
  const change = (degraded: boolean, reason: string): void => {
    isDegraded = degraded;
    if (!signals.featureState.hasSubscribers) return;
    signals.featureState.publish({ feature, degraded, policy, reason });
  };
  return {
    works() {
      if (isDegraded) change(false, 'it works again');
    },
    fails(reason) {
      if (!isDegraded) change(true, reason);
    },
  };
}
