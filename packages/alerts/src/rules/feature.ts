import { refuseUnknownOptions } from '@signalbox/options';
import { signals } from '@signalbox/signals';
import { makeRule, TIMING, type AlertRule, type Timing } from '../rule.js';
import { requireNames } from './names.js';

export interface OnFeatureOptions extends Timing {
  /**
   * Names of the features that are meant.
   * @default all
   */
  features?: readonly string[] | undefined;
}

/**
 * A feature runs by its failure policy for a minute.
 *
 * @throws {TypeError} when an option is wrong
 */
export function onFeature(options: OnFeatureOptions = {}): AlertRule {
  refuseUnknownOptions('onFeature', options, [...TIMING, 'features']);
  const { features, severity, forMs = 60_000, quietMs } = options;
  requireNames('onFeature', 'features', features);

  return makeRule('onFeature', {
    name: 'feature-degraded',
    severity,
    forMs,
    quietMs,
    prometheus: [
      {
        expression: (of) => `max by (feature) (${of('signalbox_feature_degraded')}) == 1`,
        summary: 'The feature {{ $labels.feature }} runs by its failure policy',
      },
    ],
    watch: ({ holds, gone }) =>
      signals.featureState.subscribe(({ feature, degraded, policy, reason }) => {
        if (features !== undefined && !features.includes(feature)) return;
        if (!degraded) return gone(feature);
        holds(feature, { title: `The feature "${feature}" runs degraded (${policy})`, details: [reason] });
      }),
  });
}
