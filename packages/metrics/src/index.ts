export { clusterMetrics } from './cluster-metrics.js';
export { metrics } from './metrics.js';
export { metricsEndpoint } from './metrics-endpoint.js';
export { metricsJson } from './metrics-json.js';

export type { AccessOptions } from './access.js';
export type { ClusterMetrics, ClusterMetricsOptions } from './cluster-metrics.js';
export type { RealtimeInfo } from './json-groups.js';
export type { Metrics } from './metrics.js';
export type { MetricsEndpointOptions } from './metrics-endpoint.js';
export type { MetricsJsonOptions } from './metrics-json.js';
export type { MetricsOptions } from './options.js';
