import { signals } from '@signalbox/signals';
import type { Instruments } from '../instruments.js';
import { REQUEST_BUCKETS, showState, type Hear } from './hear.js';

const HEALTH_STATUSES = ['healthy', 'degraded', 'unhealthy'] as const;

/** What operators look at first: health, degraded features, modules, drains, workers, alerts. */
export function operationFeatures(define: Instruments, hear: Hear): void {
  const health = define.gauge('signalbox_health_check_status', 'Processes whose check has this status.', [
    'check',
    'status',
  ]);
  hear(signals.healthChanged, ({ check, status }) => {
    showState((each) => health.of(check, each), HEALTH_STATUSES, status);
  });

  const degraded = define.gauge(
    'signalbox_feature_degraded',
    '1 while a feature runs by its failure policy.',
    ['feature'],
    'max',
  );
  const degradations = define.counter(
    'signalbox_feature_degradations_total',
    'Times that a feature degraded.',
    ['feature', 'policy'],
  );
  hear(signals.featureState, ({ feature, degraded: isDegraded, policy }) => {
    degraded.of(feature).value = isDegraded ? 1 : 0;
    if (isDegraded) degradations.of(feature, policy).value += 1;
  });

  const ready = define.gauge('signalbox_module_ready', '1 where a module is loaded.', ['module'], 'min');
  const loads = define.counter('signalbox_module_loads_total', 'Attempts to load a module that ended.', [
    'module',
    'outcome',
  ]);
  hear(signals.moduleState, ({ module, state }) => {
    ready.of(module).value = state === 'ready' ? 1 : 0;
    if (state !== 'loading') loads.of(module, state).value += 1;
  });

  processFeatures(define, hear);

  const alerts = define.counter('signalbox_alerts_total', 'Alerts by channel and outcome.', [
    'rule',
    'channel',
    'outcome',
  ]);
  hear(signals.alertSent, ({ rule, channel, outcome }) => {
    alerts.of(rule, channel, outcome).value += 1;
  });

  const overflows = define.counter('signalbox_series_overflows_total', 'Metrics that ran out of series.', [
    'metric',
  ]);
  hear(signals.seriesOverflow, ({ metric }) => {
    overflows.of(metric).value += 1;
  });
}

function processFeatures(define: Instruments, hear: Hear): void {
  const servers = define.counter('signalbox_server_changes_total', 'Changes of servers into a state.', [
    'state',
  ]);
  hear(signals.serverState, ({ state }) => {
    servers.of(state).value += 1;
  });

  const drains = define.histogram(
    'signalbox_drain_duration_seconds',
    'Duration of drains.',
    [],
    REQUEST_BUCKETS,
  );
  const abandoned = define.counter(
    'signalbox_drain_abandoned_requests_total',
    'Requests that a drain left unanswered.',
    [],
  );
  hear(signals.drainFinished, ({ durationMs, abandonedRequests }) => {
    drains.of().tally.add(durationMs / 1000);
    abandoned.of().value += abandonedRequests;
  });

  const workers = define.counter('signalbox_worker_changes_total', 'Changes of workers into a state.', [
    'state',
  ]);
  hear(signals.workerState, ({ state }) => {
    workers.of(state).value += 1;
  });
}
