import { onceOver, routeTemplate } from '@signalbox/context';
import { signals } from '@signalbox/signals';
import type { ServerResponse } from 'node:http';
import type { Request, RequestHandler, Response } from 'express';
import {
  resolveDeprecation,
  type DeprecatedOptions,
  type ResolvedDeprecation,
} from './deprecation-options.js';
import { ApiVersionGoneError } from './errors.js';
import { isInherited } from './inherited.js';
import { addLinksWhenSent } from './link-field.js';

/** What is deprecated about one response; the last middleware that said so is the one that knows best. */
class DeprecatedResponse {
  links: readonly string[] = [];
  /** What the signal will say; none before the deprecation has begun. */
  call: ResolvedDeprecation | undefined = undefined;
}

const responses = new WeakMap<ServerResponse, DeprecatedResponse>();

/** Whether the signal tells of this response. */
export function isDeprecatedCall(res: ServerResponse): boolean {
  return responses.get(res)?.call !== undefined;
}

/**
 * Says with every response that what answers is deprecated: `Deprecation` (RFC 9745), `Sunset` (RFC 8594), `Link` with
 * `deprecation`, `sunset` and `successor-version`, `X-API-Deprecation` and `X-API-Deprecation-Date`. Each call is told
 * by `signals.deprecatedCall`.
 *
 * In a version's router, before its routes, it speaks of that version and not of those that inherit from it; as the
 * handler of a route, of that route in whatever version.
 *
 * After the sunset it is served on, with a warning of the process, or refused with 410 `api_version_gone`.
 *
 * @throws {TypeError} when an option is wrong, at construction
 *
 * @example
 * v1.use(deprecated({ since: '2026-01-31', sunset: '2026-12-31', successor: '/api/v2' }));
 */
export function deprecated(options: DeprecatedOptions): RequestHandler {
  const settings = resolveDeprecation(options);
  const { sinceMs, sunsetMs, isGoneAfterSunset, now } = settings;
  const fields = fieldsOf(settings);
  const links = linksOf(settings);
  let hasWarned = false;

  function warnOfSunset(): void {
    if (hasWarned) return;
    hasWarned = true;
    process.emitWarning(`deprecated: calls go on after the sunset of ${iso(sunsetMs)}`, {
      code: 'SIGNALBOX_SUNSET_PASSED',
    });
  }

  return function deprecatedMiddleware(req, res, next) {
    if (isInherited(req) && !isHandlerOfRoute(req, deprecatedMiddleware)) return next();

    const nowMs = now();
    for (const [name, value] of fields) res.setHeader(name, value);
    const response = responseOf(req, res);
    response.links = links;
    if (nowMs >= sinceMs) response.call = settings;
    if (nowMs < sunsetMs) return next();
    if (isGoneAfterSunset) return next(goneError(settings));
    warnOfSunset();
    next();
  };
}

function responseOf(req: Request, res: Response): DeprecatedResponse {
  const known = responses.get(res);
  if (known !== undefined) return known;
  const response = new DeprecatedResponse();
  responses.set(res, response);
  addLinksWhenSent(res, () => response.links);
  // The route is not known before.
  onceOver(req, res, tell);
  return response;
}

function tell(this: ServerResponse): void {
  const call = responses.get(this)?.call;
  if (call === undefined || !signals.deprecatedCall.hasSubscribers) return;
  const { req } = this as Response;
  signals.deprecatedCall.publish({
    version: call.version ?? req.apiVersion ?? 'unversioned',
    consumer: call.consumerOf(req),
    route: routeTemplate(req),
  });
}

function fieldsOf({
  sinceMs,
  sunsetMs,
  message,
}: ResolvedDeprecation): readonly (readonly [string, string])[] {
  const fields: [string, string][] = [
    // A date of structured fields (RFC 9651 section 3.3.7), whole seconds.
    ['Deprecation', `@${Math.floor(sinceMs / 1000)}`],
    ['X-API-Deprecation', message],
    ['X-API-Deprecation-Date', iso(sinceMs).slice(0, 10)],
  ];
  if (sunsetMs !== Infinity) fields.push(['Sunset', new Date(sunsetMs).toUTCString()]);
  return fields;
}

function linksOf({ link, successor }: ResolvedDeprecation): readonly string[] {
  const links: string[] = [];
  if (link.deprecation !== undefined) links.push(`<${link.deprecation}>; rel="deprecation"`);
  if (link.sunset !== undefined) links.push(`<${link.sunset}>; rel="sunset"`);
  // RFC 5829 section 3.
  if (successor !== undefined) links.push(`<${successor}>; rel="successor-version"`);
  return links;
}

function goneError({ sunsetMs, successor, link }: ResolvedDeprecation): ApiVersionGoneError {
  return new ApiVersionGoneError({
    sunset: iso(sunsetMs),
    ...(successor === undefined ? {} : { successor }),
    ...(link.deprecation === undefined ? {} : { deprecation: link.deprecation }),
  });
}

interface RouteHandlers {
  readonly stack: readonly { readonly handle: RequestHandler }[];
}

/** Rather than of a router, before its routes. */
function isHandlerOfRoute(req: Request, handler: RequestHandler): boolean {
  const route: RouteHandlers | undefined = req.route;
  return route?.stack.some(({ handle }) => handle === handler) === true;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
