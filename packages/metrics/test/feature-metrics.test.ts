import { signals } from '@signalbox/signals';
import { Registry } from 'prom-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { metrics, type Metrics } from '../src/index.js';
import { readPrometheus, type Exposition } from './read-metrics.js';

interface Listening {
  meter: Metrics;
  read: () => Promise<Exposition>;
}

function listening(maxSeries = 1_000): Listening {
  const registry = new Registry();
  const meter = metrics({ registry, process: false, maxSeries });
  onTestFinished(() => meter.close());
  return { meter, read: async () => readPrometheus(await registry.metrics()) };
}

describe('metrics of features', () => {
  it('count the answers of limits and caches', async () => {
    const { read } = listening();
    signals.rateLimitDecision.publish({ zone: 'login', outcome: 'refused', local: false });
    signals.rateLimitDecision.publish({ zone: 'login', outcome: 'refused', local: true });
    for (const outcome of ['hit', 'hit', 'miss', 'stale', 'coalesced', 'bypass'] as const) {
      signals.cacheLookup.publish({ cache: '/search', outcome });
    }

    const seen = await read();
    expect(seen.sum('signalbox_rate_limit_decisions_total', { zone: 'login', outcome: 'refused' })).toBe(2);
    expect(seen.sum('signalbox_rate_limit_decisions_total', { store: 'local' })).toBe(1);
    expect(seen.sum('signalbox_cache_lookups_total', { cache: '/search', outcome: 'hit' })).toBe(2);
    expect(seen.find('signalbox_cache_lookups_total')).toHaveLength(5);
  });

  it('count what happens to sessions and tokens', async () => {
    const { read } = listening();
    signals.sessionEvent.publish({ event: 'started' });
    signals.tokenEvent.publish({ event: 'refused', kind: 'access', code: 'token_expired' });
    signals.tokenEvent.publish({ event: 'issued', kind: 'refresh', code: undefined });

    const seen = await read();
    expect(seen.sum('signalbox_session_events_total', { event: 'started' })).toBe(1);
    expect(seen.sum('signalbox_token_events_total', { event: 'refused', code: 'token_expired' })).toBe(1);
    expect(seen.sum('signalbox_token_events_total', { event: 'issued', kind: 'refresh', code: '' })).toBe(1);
  });

  it('show breakers, upstreams and fallbacks', async () => {
    const { read } = listening();
    const call = { upstream: 'searxng', route: 'search' };
    signals.breakerState.publish({ ...call, state: 'open', previous: 'closed' });
    signals.breakerState.publish({ ...call, state: 'half_open', previous: 'open' });
    signals.upstreamRequest.publish({
      ...call,
      server: 'http://a:8080',
      attempt: 1,
      outcome: 'timeout',
      status: undefined,
      durationMs: 1_500,
    });
    signals.upstreamServerState.publish({ upstream: 'searxng', server: 'http://a:8080', state: 'ejected' });
    signals.upstreamFallback.publish({ chain: 'search', from: 'searxng', to: undefined, error: undefined });

    const seen = await read();
    const states = seen.find('signalbox_breaker_state', call);
    expect(states.map(({ labels, value }) => [labels['state'], value])).toEqual([
      ['closed', 0],
      ['half_open', 1],
      ['open', 0],
    ]);
    expect(seen.sum('signalbox_breaker_changes_total', { state: 'open' })).toBe(1);
    expect(
      seen.sum('signalbox_upstream_requests_total', { server: 'http://a:8080', outcome: 'timeout' }),
    ).toBe(1);
    expect(seen.sum('signalbox_upstream_request_duration_seconds_sum', call)).toBe(1.5);
    expect(seen.find('signalbox_upstream_server_up')[0]?.value).toBe(0);
    expect(seen.sum('signalbox_upstream_fallbacks_total', { from: 'searxng', to: 'none' })).toBe(1);
  });

  it('show Redis: the link, its commands and how long they take', async () => {
    const { read } = listening();
    signals.redisLinkState.publish({ link: 'main', state: 'up', error: undefined });
    signals.redisCommand.publish({ link: 'main', command: 'get', outcome: 'ok', durationMs: 0.7 });
    signals.redisCommand.publish({ link: 'main', command: 'get', outcome: 'timeout', durationMs: 100 });

    const seen = await read();
    expect(seen.sum('signalbox_redis_up', { link: 'main' })).toBe(1);
    expect(seen.sum('signalbox_redis_commands_total', { command: 'get', outcome: 'timeout' })).toBe(1);
    const buckets = seen.find('signalbox_redis_command_duration_seconds_bucket', { command: 'get' });
    expect(buckets.find(({ labels }) => labels['le'] === '0.0005')?.value).toBe(0);
    expect(buckets.find(({ labels }) => labels['le'] === '0.001')?.value).toBe(1);

    signals.redisLinkState.publish({ link: 'main', state: 'down', error: new Error('gone') });
    expect((await read()).sum('signalbox_redis_up', { link: 'main' })).toBe(0);
  });

  it('show the database pool and its queries', async () => {
    const { read } = listening();
    signals.poolState.publish({ pool: 'main', max: 20, size: 8, idle: 5, waiting: 2 });
    const query = { pool: 'main', fingerprint: 'select ?', outcome: 'ok', durationMs: 1_200 } as const;
    signals.databaseQuery.publish({ ...query, slow: true });

    const seen = await read();
    const values = ['max', 'size', 'idle', 'waiting'].map((name) =>
      seen.sum(`signalbox_database_pool_${name}`),
    );
    expect(values).toEqual([20, 8, 5, 2]);
    expect(seen.sum('signalbox_database_query_duration_seconds_sum')).toBe(1.2);
    expect(seen.sum('signalbox_database_slow_queries_total')).toBe(1);
  });

  it('count sockets up and down, but never below none', async () => {
    const { read } = listening();
    const socket = { namespace: '/', reason: undefined };
    signals.socketState.publish({ ...socket, state: 'disconnected' });
    signals.socketState.publish({ ...socket, state: 'connected' });
    signals.socketState.publish({ ...socket, state: 'connected' });
    signals.socketState.publish({ ...socket, state: 'refused' });
    signals.emitted.publish({ event: 'search_progress', outcome: 'ok' });

    const seen = await read();
    expect(seen.sum('signalbox_sockets_connected', { namespace: '/' })).toBe(2);
    expect(seen.sum('signalbox_socket_changes_total', { state: 'refused' })).toBe(1);
    expect(seen.sum('signalbox_emitted_total', { event: 'search_progress', outcome: 'ok' })).toBe(1);
  });

  it('show health, degraded features, modules, load, drains, workers and alerts', async () => {
    const { read } = listening();
    signals.healthChanged.publish({
      check: 'redis',
      critical: false,
      status: 'unhealthy',
      previous: 'healthy',
      error: new Error('down'),
    });
    signals.featureState.publish({
      feature: 'cache',
      degraded: true,
      policy: 'open',
      reason: 'Redis is down',
    });
    signals.moduleState.publish({
      module: 'search',
      prefix: '/api',
      state: 'failed',
      error: new Error('no'),
    });
    signals.moduleState.publish({ module: 'search', prefix: '/api', state: 'ready', error: undefined });
    signals.requestShed.publish({ priority: 'bulk', reason: 'in_flight', retryAfterSeconds: 1 });
    signals.serverState.publish({ server: {}, state: 'draining' });
    signals.drainFinished.publish({
      server: {},
      durationMs: 2_000,
      abandonedRequests: 3,
      failedResources: [],
    });
    signals.workerState.publish({ worker: 1, pid: 1, state: 'stuck', code: undefined });
    signals.alertSent.publish({ rule: 'p99', channel: 'slack', outcome: 'sent' });
    signals.securityFinding.publish({ kind: 'screened', rule: 'sql-1', enforced: false });

    const seen = await read();
    expect(seen.sum('signalbox_health_check_status', { check: 'redis', status: 'unhealthy' })).toBe(1);
    expect(seen.sum('signalbox_health_check_status', { check: 'redis', status: 'healthy' })).toBe(0);
    expect(seen.sum('signalbox_feature_degraded', { feature: 'cache' })).toBe(1);
    expect(seen.sum('signalbox_feature_degradations_total', { feature: 'cache', policy: 'open' })).toBe(1);
    expect(seen.sum('signalbox_module_ready', { module: 'search' })).toBe(1);
    expect(seen.sum('signalbox_module_loads_total', { outcome: 'failed' })).toBe(1);
    expect(seen.sum('signalbox_requests_shed_total', { priority: 'bulk', reason: 'in_flight' })).toBe(1);
    expect(seen.sum('signalbox_server_changes_total', { state: 'draining' })).toBe(1);
    expect(seen.sum('signalbox_drain_duration_seconds_sum')).toBe(2);
    expect(seen.sum('signalbox_drain_abandoned_requests_total')).toBe(3);
    expect(seen.sum('signalbox_worker_changes_total', { state: 'stuck' })).toBe(1);
    expect(seen.sum('signalbox_alerts_total', { rule: 'p99', outcome: 'sent' })).toBe(1);
    expect(seen.sum('signalbox_security_findings_total', { rule: 'sql-1', enforced: 'false' })).toBe(1);
  });

  it('never name a caller, a query or a path', async () => {
    const { read } = listening();
    signals.deprecatedCall.publish({ version: 'v1', consumer: 'mallory', route: undefined });
    signals.slowRequest.publish({ method: 'BREW', route: undefined, durationMs: 5_000, thresholdMs: 1_000 });
    const query = {
      pool: 'main',
      fingerprint: 'select secret',
      outcome: 'ok',
      durationMs: 1,
      slow: false,
    } as const;
    signals.databaseQuery.publish(query);

    const seen = await read();
    expect(seen.sum('signalbox_deprecated_calls_total', { version: 'v1', route: 'unmatched' })).toBe(1);
    expect(seen.sum('signalbox_slow_requests_total', { method: 'OTHER', route: 'unmatched' })).toBe(1);
    expect(JSON.stringify([...seen.families.values()])).not.toMatch(/mallory|secret/);
  });

  it('keep to the bound of series, and tell of it', async () => {
    const { read } = listening(5);
    for (let i = 0; i < 50; i++) signals.cacheLookup.publish({ cache: `cache-${i}`, outcome: 'hit' });

    const seen = await read();
    expect(seen.find('signalbox_cache_lookups_total')).toHaveLength(5);
    expect(seen.sum('signalbox_cache_lookups_total', { cache: '__overflow__' })).toBe(46);
    expect(seen.sum('signalbox_series_overflows_total', { metric: 'signalbox_cache_lookups_total' })).toBe(1);
  });

  it('survive a payload without its number', async () => {
    const { read } = listening();
    signals.redisCommand.publish({ link: 'main', command: 'get', outcome: 'ok', durationMs: Number.NaN });
    signals.redisCommand.publish({ link: 'main', command: 'get', outcome: 'ok', durationMs: 1_000 });

    expect((await read()).sum('signalbox_redis_command_duration_seconds_sum')).toBe(1);
  });

  it('stop with close(), and cost nothing where they are not wanted', async () => {
    const { meter, read } = listening();
    expect(signals.cacheLookup.hasSubscribers).toBe(true);

    await meter.close();
    expect(signals.cacheLookup.hasSubscribers).toBe(false);
    signals.cacheLookup.publish({ cache: 'x', outcome: 'hit' });
    expect((await read()).sum('signalbox_cache_lookups_total')).toBe(0);

    metrics({ registry: new Registry(), process: false, features: false });
    expect(signals.cacheLookup.hasSubscribers).toBe(false);
  });
});
