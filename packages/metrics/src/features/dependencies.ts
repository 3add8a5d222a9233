import { signals } from '@signalbox/signals';
import type { Instruments } from '../instruments.js';
import { REQUEST_BUCKETS, ROUND_TRIP_BUCKETS, showState, type Hear } from './hear.js';

const BREAKER_STATES = ['closed', 'half_open', 'open'] as const;

/** Upstreams and their breakers. */
export function upstreamFeatures(define: Instruments, hear: Hear): void {
  const requests = define.counter(
    'signalbox_upstream_requests_total',
    'Attempts against servers of upstreams.',
    ['upstream', 'server', 'route', 'outcome'],
  );
  const seconds = define.histogram(
    'signalbox_upstream_request_duration_seconds',
    'Duration of attempts against upstreams.',
    ['upstream', 'route'],
    REQUEST_BUCKETS,
  );
  hear(signals.upstreamRequest, ({ upstream, server, route, outcome, durationMs }) => {
    requests.of(upstream, server, route, outcome).value += 1;
    seconds.of(upstream, route).tally.add(durationMs / 1000);
  });

  const fallbacks = define.counter(
    'signalbox_upstream_fallbacks_total',
    'Answers from other than the first choice.',
    ['chain', 'from', 'to'],
  );
  hear(signals.upstreamFallback, ({ chain, from, to }) => {
    fallbacks.of(chain, from, to ?? 'none').value += 1;
  });

  const breakers = define.gauge('signalbox_breaker_state', 'Processes whose breaker is in this state.', [
    'upstream',
    'route',
    'state',
  ]);
  const changes = define.counter('signalbox_breaker_changes_total', 'Changes of breakers into a state.', [
    'upstream',
    'route',
    'state',
  ]);
  hear(signals.breakerState, ({ upstream, route, state }) => {
    showState((each) => breakers.of(upstream, route, each), BREAKER_STATES, state);
    changes.of(upstream, route, state).value += 1;
  });

  const servers = define.gauge(
    'signalbox_upstream_server_up',
    '1 where a server of an upstream is in the rotation, 0 where it is ejected.',
    ['upstream', 'server'],
    'min',
  );
  hear(signals.upstreamServerState, ({ upstream, server, state }) => {
    servers.of(upstream, server).value = state === 'in' ? 1 : 0;
  });
}

/** Redis and the database. */
export function storeFeatures(define: Instruments, hear: Hear): void {
  const up = define.gauge('signalbox_redis_up', '1 while the link to Redis is up.', ['link'], 'min');
  const changes = define.counter('signalbox_redis_link_changes_total', 'Changes of the link into a state.', [
    'link',
    'state',
  ]);
  hear(signals.redisLinkState, ({ link, state }) => {
    up.of(link).value = state === 'up' ? 1 : 0;
    changes.of(link, state).value += 1;
  });

  const commands = define.counter('signalbox_redis_commands_total', 'Commands to Redis by outcome.', [
    'link',
    'command',
    'outcome',
  ]);
  const seconds = define.histogram(
    'signalbox_redis_command_duration_seconds',
    'Duration of commands to Redis.',
    ['link', 'command'],
    ROUND_TRIP_BUCKETS,
  );
  hear(signals.redisCommand, ({ link, command, outcome, durationMs }) => {
    commands.of(link, command, outcome).value += 1;
    seconds.of(link, command).tally.add(durationMs / 1000);
  });

  databaseFeatures(define, hear);
}

function databaseFeatures(define: Instruments, hear: Hear): void {
  const max = define.gauge('signalbox_database_pool_max', 'Connections that the pool may open.', ['pool']);
  const size = define.gauge('signalbox_database_pool_size', 'Open connections.', ['pool']);
  const idle = define.gauge('signalbox_database_pool_idle', 'Open connections that nobody uses.', ['pool']);
  const waiting = define.gauge('signalbox_database_pool_waiting', 'Callers that wait for a connection.', [
    'pool',
  ]);
  hear(signals.poolState, (state) => {
    max.of(state.pool).value = state.max;
    size.of(state.pool).value = state.size;
    idle.of(state.pool).value = state.idle;
    waiting.of(state.pool).value = state.waiting;
  });

  const queries = define.histogram(
    'signalbox_database_query_duration_seconds',
    'Duration of queries.',
    ['pool', 'outcome'],
    REQUEST_BUCKETS,
  );
  const slow = define.counter(
    'signalbox_database_slow_queries_total',
    'Queries that took longer than they should.',
    ['pool'],
  );
  hear(signals.databaseQuery, (query) => {
    queries.of(query.pool, query.outcome).tally.add(query.durationMs / 1000);
    if (query.slow) slow.of(query.pool).value += 1;
  });
}
