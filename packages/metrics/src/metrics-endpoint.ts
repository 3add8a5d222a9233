import { facts } from '@signalbox/context';
import { MethodNotAllowedError } from '@signalbox/errors';
import { refuseUnknownOptions } from '@signalbox/options';
import type { Request, RequestHandler, Response } from 'express';
import { register, type Registry } from 'prom-client';
import { accessCheck, type AccessOptions } from './access.js';
import { prefersOpenMetrics } from './accept.js';
import { requireRegistry } from './options.js';
import { openMetricsText, prometheusText } from './rendering.js';
import { scrape } from './scrape.js';

/** Options of {@link metricsEndpoint}. */
export interface MetricsEndpointOptions extends AccessOptions {
  /**
   * The registry that is shown, the same that `metrics()` was given.
   * @default prom-client's global `register`
   */
  registry?: Registry | undefined;
}

/**
 * Answers with the metrics as text: OpenMetrics 1.0.0 where `Accept` asks for it, else Prometheus' format 0.0.4.
 * In a cluster it answers for all workers; see `clusterMetrics()`.
 *
 * Open to loopback addresses unless told otherwise. Anybody else goes to the error handler: 403 `forbidden`, or
 * where a token is set, 401 `unauthorized` with a `Bearer` challenge. A request that was forwarded by a proxy
 * which `trust proxy` does not cover has no known address and is refused too.
 *
 * @throws {TypeError} when an option is out of range, at construction
 *
 * @example
 * app.get('/metrics', metricsEndpoint({ allow: ['10.0.0.0/8'], token: process.env.METRICS_TOKEN }));
 */
export function metricsEndpoint(options: MetricsEndpointOptions = {}): RequestHandler {
  refuseUnknownOptions('metricsEndpoint', options, ['registry', 'allow', 'token']);
  const { registry = register } = options;
  requireRegistry('metricsEndpoint', registry);
  const admit = admission('metricsEndpoint', options);

  return async function metricsEndpointHandler(req, res) {
    admit(req, res);
    const { metrics } = await scrape(registry);
    const render = prefersOpenMetrics(req.headers.accept) ? openMetricsText : prometheusText;
    const { contentType, text } = await render(metrics);
    res.vary('Accept');
    sendWhole(res, contentType, text);
  };
}

/** What every endpoint here does first: refuses those who may not read, and keeps the others out of the log. */
export function admission(caller: string, options: AccessOptions): (req: Request, res: Response) => void {
  const requireAccess = accessCheck(caller, options);
  return (req, res) => {
    requireAccess(req);
    if (req.method !== 'GET' && req.method !== 'HEAD') throw new MethodNotAllowedError(['GET', 'HEAD']);
    // Not earlier: whoever was refused shall be seen.
    facts(req).silent = true;
    res.set('Cache-Control', 'no-store');
  };
}

/** Not `res.send`: it hashes the body for an ETag that `no-store` makes useless. Node leaves the body out on HEAD. */
export function sendWhole(res: Response, contentType: string, body: string): void {
  res.setHeader('Content-Type', contentType);
  res.setHeader('Content-Length', Buffer.byteLength(body));
  res.end(body);
}
