import { routeTable } from '@signalbox/context';
import type { RequestHandler } from 'express';
import { attachDescription } from './describe-route.js';
import { openapi } from './openapi.js';
import { type OpenApiOptions, resolveOpenApiOptions } from './openapi-options.js';

/**
 * Serves the OpenAPI document of the app that it is mounted in. The document is made at the first
 * request, and again after routes were added or taken away.
 *
 * @throws {TypeError} when an option is missing or wrong, at construction
 *
 * @example
 * app.get('/openapi.json', openapiRoute({ info: { title: 'Search', version: '1.4.0' } }));
 */
export function openapiRoute(options: OpenApiOptions): RequestHandler {
  resolveOpenApiOptions('openapiRoute', options);
  let routes = -1;
  let body = '';

  const route: RequestHandler = function serveOpenapi(req, res) {
    // Modules may come later than the first request for the document.
    const { length } = routeTable(req.app);
    if (length !== routes) {
      body = JSON.stringify(openapi(req.app, options));
      routes = length;
    }
    res.type('application/json').send(body);
  };
  attachDescription(route, {}, { hidden: true });
  return route;
}
