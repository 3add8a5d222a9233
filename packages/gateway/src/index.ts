export { upstreams } from './upstreams.js';
export { fallback } from './fallback.js';
export { searxng } from './searxng.js';
export { proxy } from './proxy.js';
export {
  UpstreamError,
  UpstreamInvalidResponseError,
  UpstreamResponseError,
  UpstreamTimeoutError,
  UpstreamUnavailableError,
} from './errors.js';
export { FallbackFailedError } from './fallback-error.js';
export { ProxyLoopError, ProxyRequestError, ProxyTargetError } from './proxy-errors.js';

export type { BreakerOptions, BreakerStateName } from './breaker.js';
export type { UpstreamErrorOptions } from './errors.js';
export type {
  FallbackAttempt,
  FallbackCallOptions,
  FallbackChain,
  FallbackContext,
  FallbackOptions,
  FallbackResult,
  FallbackStep,
} from './fallback.js';
export type { HealthCheckOptions, UpstreamHealth } from './health.js';
export type { EjectionOptions, HealthOptions, TlsOptions, UpstreamOptions } from './options.js';
export type { AttachOptions, Proxy, ProxyReport } from './proxy.js';
export type { CookieOptions } from './proxy-answer-urls.js';
export type { ChooseTarget, ProxyOptions } from './proxy-options.js';
export type { ChooseHeaders } from './proxy-own-fields.js';
export type { PathMap, PathRewrite } from './proxy-paths.js';
export type { QueryValue, UpstreamRequestOptions } from './request.js';
export type { UpstreamResponse } from './response.js';
export type { RetryBudgetOptions } from './retry-budget.js';
export type { SearchResult, SearchResults } from './search-results.js';
export type { SearchOptions, Searxng, SearxngOptions, SearxngQuery } from './searxng.js';
export type { ServerReport } from './server.js';
export type { Upstream, UpstreamJsonOptions, UpstreamReport } from './upstream.js';
export type { Upstreams, UpstreamsHandle } from './upstreams.js';
