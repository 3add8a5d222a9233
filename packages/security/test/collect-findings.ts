import { signals, type FeatureState, type SecurityFinding } from '@signalbox/signals';
import { onTestFinished } from 'vitest';

/** What the running test's requests were found to be, from now on. */
export function collectFindings(): SecurityFinding[] {
  const findings: SecurityFinding[] = [];
  onTestFinished(signals.securityFinding.subscribe((finding) => findings.push(finding)));
  return findings;
}

/** Which features began and stopped to run degraded, from now on. */
export function collectFeatureStates(): FeatureState[] {
  const states: FeatureState[] = [];
  onTestFinished(signals.featureState.subscribe((state) => states.push(state)));
  return states;
}
