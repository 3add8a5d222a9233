import type { RequestHandler } from 'express';
import type { Registry } from 'prom-client';
import { installationOf } from './installation.js';
import { resolveOptions, type MetricsOptions } from './options.js';

/** The middleware, and a handle on what it counts. */
export interface Metrics extends RequestHandler {
  /** Where the metrics live. Metrics of the app's own may be registered here too. */
  readonly registry: Registry;
  /**
   * Stops listening to signals and watching the process. In a worker of a cluster the primary is told what was
   * counted, before it resolves. Calling it again does nothing.
   */
  close(): Promise<void>;
}

/**
 * Counts every request that passes, by method, route template and status:
 * `http_requests_total`, `http_request_duration_seconds`, `http_requests_in_flight`,
 * `http_request_size_bytes` and `http_response_size_bytes`. Beside them the registry gets metrics of the
 * process, and of features from the signals that other packages publish.
 *
 * A path that no route matches is counted as `unmatched`, a method that HTTP does not define as `OTHER`, and a
 * request whose client left early as status 499. Calling it twice for one registry is no error, and a request
 * that passes twice is counted once.
 *
 * @throws {TypeError} when an option is out of range, at construction
 *
 * @example
 * app.use(metrics());
 * app.get('/metrics', metricsEndpoint());
 */
export function metrics(options: MetricsOptions = {}): Metrics {
  const settings = resolveOptions('metrics', options);
  const installation = installationOf('metrics', settings);
  const { http } = installation;
  installation.acquire();
  let closed: Promise<void> | undefined;

  const metricsMiddleware: RequestHandler = (req, res, next) => {
    http.follow(req, res);
    next();
  };
  return Object.assign(metricsMiddleware, {
    registry: settings.registry,
    close: () => (closed ??= installation.release()),
  });
}
