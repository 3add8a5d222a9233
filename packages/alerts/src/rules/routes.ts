import { wrongOption } from '@signalbox/options';

/** Of rules about what visitors see. */
export interface ByRoute {
  /**
   * Routes that do not count, as `http_requests_total` names them.
   * @default those that machines ask every few seconds: `/livez`, `/readyz`, `/health`, `/health/detailed`, `/status`,
   * `/metrics`, `/metrics.json`
   */
  exceptRoutes?: readonly string[] | undefined;
}

/** What machines ask every few seconds says nothing about what visitors see: a 503 of `/readyz` is no error. */
export const PROBE_ROUTES: readonly string[] = [
  '/livez',
  '/readyz',
  '/health',
  '/health/detailed',
  '/status',
  '/metrics',
  '/metrics.json',
];

export function requireRoutes(owner: string, routes: unknown): asserts routes is readonly string[] {
  if (Array.isArray(routes) && routes.every((route) => typeof route === 'string' && route !== '')) return;
  throw wrongOption(owner, 'exceptRoutes', 'a list of routes, such as ["/livez"]', routes);
}

/** A matcher of PromQL for all other routes; none where no route is excepted. */
export function otherRoutes(routes: readonly string[]): string[] {
  if (routes.length === 0) return [];
  const escaped = routes.map((route) => route.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  // PromQL quotes text as JSON does.
  return [`route!~${JSON.stringify(escaped.join('|'))}`];
}
