import type { AlertRule } from './rule.js';
import { breakerOpen } from './rules/breaker-open.js';
import { disk } from './rules/disk.js';
import { errorRate } from './rules/error-rate.js';
import { onFeature } from './rules/feature.js';
import { onHealth } from './rules/health.js';
import { latency } from './rules/latency.js';
import { loadShed } from './rules/load-shed.js';
import { moduleFailed } from './rules/module-failed.js';
import { poolWaiting } from './rules/pool-waiting.js';
import { redisDown } from './rules/redis-down.js';
import { tokenTheft } from './rules/token-theft.js';
import { workerState } from './rules/worker-state.js';

/**
 * The rules that need no settings: all but `certificate`, `backupAge` and `sunset`.
 *
 * @example
 * const rules = [...standardRules(), certificate({ host: 'search.example' })];
 */
export function standardRules(): AlertRule[] {
  return [
    onHealth(),
    onFeature(),
    redisDown(),
    errorRate(),
    latency(),
    breakerOpen(),
    poolWaiting(),
    disk(),
    tokenTheft(),
    workerState(),
    moduleFailed(),
    loadShed(),
  ];
}
