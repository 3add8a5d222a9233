import { refuseUnknownOptions, requireFunction } from '@signalbox/options';
import type { RequestHandler } from 'express';
import { register } from 'prom-client';
import {
  databaseGroup,
  httpGroup,
  processGroup,
  realtimeGroup,
  systemGroup,
  type RealtimeInfo,
} from './json-groups.js';
import { admission, sendWhole, type MetricsEndpointOptions } from './metrics-endpoint.js';
import { requireRegistry } from './options.js';
import { readerOf } from './reading.js';
import { redisGroup } from './redis-info.js';
import { scrape } from './scrape.js';

/** Options of {@link metricsJson}. */
export interface MetricsJsonOptions extends MetricsEndpointOptions {
  /** Asks Redis for `INFO`, such as `() => redis.info()`. It is given half a second. */
  redisInfo?: (() => Promise<string>) | undefined;
  /** Tells of realtime what no metric does. */
  realtime?: (() => RealtimeInfo) | undefined;
}

/**
 * Answers with the metrics as JSON, in the groups `process, system, redis, database_pool, realtime, http`. What is
 * not known is `null`, and the group says `available: false`.
 *
 * Access is as with `metricsEndpoint()`.
 *
 * @throws {TypeError} when an option is out of range, at construction
 *
 * @example
 * app.get('/metrics.json', metricsJson({ redisInfo: () => redis.info() }));
 */
export function metricsJson(options: MetricsJsonOptions = {}): RequestHandler {
  refuseUnknownOptions('metricsJson', options, ['registry', 'allow', 'token', 'redisInfo', 'realtime']);
  const { registry = register, redisInfo, realtime } = options;
  requireRegistry('metricsJson', registry);
  if (redisInfo !== undefined) requireFunction('metricsJson', 'redisInfo', redisInfo);
  if (realtime !== undefined) requireFunction('metricsJson', 'realtime', realtime);
  const admit = admission('metricsJson', options);

  return async function metricsJsonHandler(req, res) {
    admit(req, res);
    const [{ metrics, scope, workers, workersMissing }, redis] = await Promise.all([
      scrape(registry),
      redisGroup(redisInfo),
    ]);
    const reader = readerOf(metrics);
    const body = {
      timestamp: new Date().toISOString(),
      cluster: { scope, workers, workers_missing: workersMissing },
      process: processGroup(reader),
      system: systemGroup(reader),
      redis,
      database_pool: databaseGroup(reader),
      realtime: realtimeGroup(reader, realtime?.()),
      http: httpGroup(reader),
    };
    sendWhole(res, 'application/json; charset=utf-8', JSON.stringify(body));
  };
}
