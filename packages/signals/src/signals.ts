import { signal, type Signal } from './signal.js';

/** A server came up, stopped taking requests, or went away. */
export interface ServerState {
  /** The `http.Server` (or https), the one that `req.socket.server` names. */
  server: object;
  state: 'starting' | 'ready' | 'draining' | 'closed';
}

/** A request was turned away because the process has too much to do. */
export interface RequestShed {
  /** The class of work that the request belongs to, such as `search`. */
  priority: string;
  reason: 'in_flight' | 'event_loop_delay' | 'event_loop_utilization' | 'memory';
  retryAfterSeconds: number;
}

/** A drain is over. */
export interface DrainFinished {
  server: object;
  durationMs: number;
  /** Requests that were still unanswered when the budget was spent. */
  abandonedRequests: number;
  /** Names of resources that failed to close or ran out of time. */
  failedResources: readonly string[];
}

/** A request took longer than its threshold. */
export interface SlowRequest {
  method: string;
  /** Route template, or `undefined` for an unmatched path. */
  route: string | undefined;
  durationMs: number;
  thresholdMs: number;
}

/** Log files were moved away, by logrotate say: who writes one opens it by its name again. */
export interface LogsMoved {
  /** Who said so, such as `SIGUSR2`. */
  toldBy: string;
}

/** A feature began to run by its failure policy, or stopped to. */
export interface FeatureState {
  /** Such as `rate-limit` or `search`. */
  feature: string;
  degraded: boolean;
  /** What it does instead while degraded. */
  policy: 'open' | 'closed' | 'local' | 'stale' | 'fallback' | 'unavailable';
  /** Why, in words that may be shown to an operator. */
  reason: string;
}

/** A health check changed its mind. */
export interface HealthChanged {
  check: string;
  critical: boolean;
  status: 'healthy' | 'degraded' | 'unhealthy';
  previous: 'unknown' | 'healthy' | 'degraded' | 'unhealthy';
  error: unknown;
}

/** A module of the app loaded, failed, or waits for another try. */
export interface ModuleState {
  module: string;
  prefix: string;
  state: 'loading' | 'ready' | 'failed';
  error: unknown;
}

/** A metric reached its bound of series; further label values share one. */
export interface SeriesOverflow {
  metric: string;
  maxSeries: number;
}

/** One attempt against one server of an upstream ended. */
export interface UpstreamRequest {
  upstream: string;
  /** Origin of the server, without credentials, path or query. */
  server: string;
  /** The caller's name for the kind of call, such as `search`. */
  route: string;
  attempt: number;
  outcome: 'ok' | 'error' | 'timeout' | 'aborted' | 'rejected';
  status: number | undefined;
  durationMs: number;
}

/** A breaker of an upstream changed its state. */
export interface BreakerState {
  upstream: string;
  /** Origin of the server, where each server has a breaker of its own. */
  server?: string | undefined;
  route: string;
  state: 'closed' | 'open' | 'half_open';
  previous: 'closed' | 'open' | 'half_open';
}

/** A server of an upstream was taken out of the rotation, or put back. */
export interface UpstreamServerState {
  upstream: string;
  server: string;
  state: 'in' | 'ejected';
}

/** A chain answered from somewhere other than its first choice. */
export interface UpstreamFallback {
  chain: string;
  from: string;
  /** `undefined` when nothing was left to try. */
  to: string | undefined;
  error: unknown;
}

/** The connection to Redis changed. */
export interface RedisLinkState {
  link: string;
  state: 'connecting' | 'up' | 'down' | 'closed';
  error: unknown;
}

/** A command to Redis was answered, failed, or ran out of time. */
export interface RedisCommand {
  link: string;
  command: string;
  outcome: 'ok' | 'error' | 'timeout' | 'rejected';
  durationMs: number;
}

/** A limit was asked. */
export interface RateLimitDecision {
  zone: string;
  outcome: 'allowed' | 'refused' | 'shadow_refused';
  /** Whether the count came from this process alone because the store did not answer. */
  local: boolean;
}

/** A cache was asked. */
export interface CacheLookup {
  /** Route template, or the name of a memoized function. */
  cache: string;
  outcome: 'hit' | 'miss' | 'stale' | 'coalesced' | 'bypass';
}

/** A session began or ended. */
export interface SessionEvent {
  event: 'started' | 'renewed' | 'ended' | 'expired' | 'revoked' | 'save_refused';
}

/** A token was issued, verified or refused. */
export interface TokenEvent {
  event: 'issued' | 'refreshed' | 'verified' | 'refused' | 'revoked' | 'reused';
  kind: 'access' | 'refresh' | 'api_key';
  /** The stable `code` of a refusal. */
  code: string | undefined;
  /** Of `reused`: whose sign-in was ended, because somebody else may have its token, and the name of that sign-in. */
  subject?: string | undefined;
  family?: string | undefined;
}

/** The state of a database pool, published on change. */
export interface PoolState {
  pool: string;
  max: number;
  size: number;
  idle: number;
  waiting: number;
}

/** A query ended. */
export interface DatabaseQuery {
  pool: string;
  /** The statement with its literals taken out. */
  fingerprint: string;
  outcome: 'ok' | 'error' | 'timeout' | 'aborted';
  durationMs: number;
  slow: boolean;
  /** Template of the route that asked, where there is one. */
  route?: string | undefined;
  /** Id of the request or job that asked, where there is one. */
  requestId?: string | undefined;
}

/** A socket came or went. */
export interface SocketState {
  namespace: string;
  state: 'connected' | 'disconnected' | 'refused';
  reason: string | undefined;
}

/** A message was emitted towards sockets. */
export interface Emitted {
  event: string;
  outcome: 'ok' | 'error' | 'queued' | 'dropped';
}

/** A security rule looked at a request and found something. */
export interface SecurityFinding {
  kind: 'screened' | 'csrf' | 'origin' | 'address' | 'csp_report';
  rule: string;
  enforced: boolean;
}

/** A deprecated version was called. */
export interface DeprecatedCall {
  version: string;
  consumer: string;
  route: string | undefined;
}

/** A worker process changed its state. */
export interface WorkerState {
  worker: number;
  pid: number | undefined;
  state: 'starting' | 'ready' | 'draining' | 'stuck' | 'exited';
  code: number | undefined;
}

/** An alert was sent, or could not be. */
export interface AlertSent {
  rule: string;
  channel: string;
  outcome: 'sent' | 'failed' | 'suppressed';
}

/** Every signal there is. A package publishes its own; logging, metrics, health and alerts listen. */
export const signals: {
  readonly serverState: Signal<ServerState>;
  readonly requestShed: Signal<RequestShed>;
  readonly drainFinished: Signal<DrainFinished>;
  readonly slowRequest: Signal<SlowRequest>;
  readonly logsMoved: Signal<LogsMoved>;
  readonly featureState: Signal<FeatureState>;
  readonly healthChanged: Signal<HealthChanged>;
  readonly moduleState: Signal<ModuleState>;
  readonly seriesOverflow: Signal<SeriesOverflow>;
  readonly upstreamRequest: Signal<UpstreamRequest>;
  readonly upstreamServerState: Signal<UpstreamServerState>;
  readonly upstreamFallback: Signal<UpstreamFallback>;
  readonly breakerState: Signal<BreakerState>;
  readonly redisLinkState: Signal<RedisLinkState>;
  readonly redisCommand: Signal<RedisCommand>;
  readonly rateLimitDecision: Signal<RateLimitDecision>;
  readonly cacheLookup: Signal<CacheLookup>;
  readonly sessionEvent: Signal<SessionEvent>;
  readonly tokenEvent: Signal<TokenEvent>;
  readonly poolState: Signal<PoolState>;
  readonly databaseQuery: Signal<DatabaseQuery>;
  readonly socketState: Signal<SocketState>;
  readonly emitted: Signal<Emitted>;
  readonly securityFinding: Signal<SecurityFinding>;
  readonly deprecatedCall: Signal<DeprecatedCall>;
  readonly workerState: Signal<WorkerState>;
  readonly alertSent: Signal<AlertSent>;
} = {
  serverState: signal('server.state'),
  requestShed: signal('server.request-shed'),
  drainFinished: signal('server.drain-finished'),
  slowRequest: signal('logging.slow-request'),
  logsMoved: signal('logging.logs-moved'),
  featureState: signal('feature.state'),
  healthChanged: signal('health.changed'),
  moduleState: signal('compose.module-state'),
  seriesOverflow: signal('metrics.series-overflow'),
  upstreamRequest: signal('gateway.request'),
  upstreamServerState: signal('gateway.server-state'),
  upstreamFallback: signal('gateway.fallback'),
  breakerState: signal('gateway.breaker-state'),
  redisLinkState: signal('redis.link-state'),
  redisCommand: signal('redis.command'),
  rateLimitDecision: signal('rate-limit.decision'),
  cacheLookup: signal('cache.lookup'),
  sessionEvent: signal('sessions.event'),
  tokenEvent: signal('auth.token-event'),
  poolState: signal('postgres.pool-state'),
  databaseQuery: signal('postgres.query'),
  socketState: signal('realtime.socket-state'),
  emitted: signal('emitter.emitted'),
  securityFinding: signal('security.finding'),
  deprecatedCall: signal('versioning.deprecated-call'),
  workerState: signal('cluster.worker-state'),
  alertSent: signal('alerts.sent'),
};
