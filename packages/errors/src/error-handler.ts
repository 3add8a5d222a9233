import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { ErrorRequestHandler, Request, Response } from 'express';
import { failureOf, isClientAbort, type Failure } from './failure.js';
import { acceptedFormat } from './negotiate.js';
import { resolveOptions, type ErrorHandlerOptions, type ResolvedOptions } from './options.js';
import { CONTENT_TYPES, renderEnvelope, renderHtml, renderProblem, renderText } from './render.js';
import type { ErrorContext, ErrorFormat } from './render.js';
import { noteRefusal, reportError, stackOf } from './report.js';
import { timestamp } from './timestamp.js';

const answeredBy = new WeakMap<object, ErrorRequestHandler>();

/**
 * The {@link errorHandler} that has answered an error of this response. For who held that answer back, and has another
 * error to tell: Express leads a request to no error handler twice.
 */
export function errorHandlerOf(res: object): ErrorRequestHandler | undefined {
  return answeredBy.get(res);
}

/**
 * The one place where errors become responses. Mount it last.
 *
 * Every error gets the same shape: the envelope `{ error: { code, type, message, … } }`, a problem document
 * (RFC 9457), a small HTML page or plain text, as `Accept` asks. Header fields that earlier middleware set
 * (CORS, security, request id, limits) are kept; those that described the response that failed are dropped.
 *
 * A 5xx is reported once: to the request logger if one listens on `res.err`, else through `req.log`, else
 * to stderr. Where the response has begun and not ended, the connection is destroyed, for a truncated
 * answer must not look whole. A client that went away is no error and gets no answer.
 *
 * @throws {TypeError} when an option is wrong, at construction
 *
 * @example
 * app.use(notFound());
 * app.use(errorHandler());
 */
export function errorHandler(options: ErrorHandlerOptions = {}): ErrorRequestHandler {
  const resolved = resolveOptions(options);

  // Express tells an error handler by its four parameters.
  return function errorHandlerMiddleware(error: unknown, req, res, _next) {
    answeredBy.set(res, errorHandlerMiddleware);
    if (isClientAbort(error) || clientIsGone(req, res)) {
      // A stream that fails takes the response with it, as that of `await pipeline(file, res)` does.
      if (error === res.errored && error === req.socket.errored) reportError(error, req, res);
      return leaveUnanswered(res);
    }

    let failure: Failure;
    let body: string;
    let format: ErrorFormat;
    try {
      const meant = resolved.map(error, req) ?? error;
      failure = failureOf(meant);
      requireHeaders(failure.headers);
      format = acceptedFormat(req, resolved.format);
      body = render(format, failure, contextOf(req, meant, failure, resolved), resolved);
    } catch (failed) {
      // A detail that JSON cannot hold, a field that HTTP cannot, a mapper that throws: the client still gets an answer.
      reportError(failed, req, res);
      failure = failureOf(undefined);
      format = resolved.format;
      body = render(format, failure, contextOf(req, failed, failure, resolved), resolved);
    }

    if (failure.status >= 500 || res.headersSent) reportError(error, req, res);
    else noteRefusal(error, res);
    if (res.headersSent) {
      if (!res.writableEnded) res.destroy();
      return;
    }
    prepareHeaders(res, failure, resolved);
    send(req, res, failure.status, CONTENT_TYPES[format], body);
  };
}

/** @throws where Node would when they are set: too late to make another answer */
function requireHeaders(headers: Failure['headers']): void {
  for (const name in headers) {
    validateHeaderName(name);
    for (const value of [headers[name] ?? []].flat()) validateHeaderValue(name, value);
  }
}

function clientIsGone(req: Request, res: Response): boolean {
  // Node destroys a response that was sent, too; one that is being sent, later than its connection, of which
  // `res.sendFile()` hears at once.
  const isGone = res.destroyed || req.socket.destroyed;
  return (isGone && !res.writableFinished) || (req.destroyed && !req.complete);
}

function leaveUnanswered(res: Response): void {
  // Nobody receives it; the log and the metrics read it.
  if (!res.headersSent) res.statusCode = 499;
  res.destroy();
}

function contextOf(req: Request, error: unknown, failure: Failure, options: ResolvedOptions): ErrorContext {
  const query = req.originalUrl.indexOf('?');
  const id = (req as { id?: unknown }).id;
  return {
    timestamp: timestamp(),
    path: query === -1 ? req.originalUrl : req.originalUrl.slice(0, query),
    method: req.method,
    requestId: typeof id === 'string' || typeof id === 'number' ? String(id) : undefined,
    traceback: options.development && failure.status >= 500 ? stackOf(error).split('\n') : undefined,
  };
}

function render(
  format: ErrorFormat,
  failure: Failure,
  context: ErrorContext,
  { problemTypeBase }: ResolvedOptions,
): string {
  switch (format) {
    case 'envelope':
      return renderEnvelope(failure, context);
    case 'problem':
      return renderProblem(failure, context, problemTypeBase);
    case 'html':
      return renderHtml(failure, context);
    case 'text':
      return renderText(failure, context);
  }
}

// They describe the representation that was not sent (RFC 9110 section 8), or allow to keep it.
const STALE_FIELDS = [
  'Content-Encoding',
  'Content-Length',
  'Content-Disposition',
  'Content-Language',
  'Content-Range',
  'Content-Location',
  'Content-Digest',
  'Repr-Digest',
  'Accept-Ranges',
  'ETag',
  'Last-Modified',
  'Expires',
  // Caches that know one of these ask no Cache-Control (RFC 9213 section 2.2).
  'CDN-Cache-Control',
  'Cloudflare-CDN-Cache-Control',
  'Vercel-CDN-Cache-Control',
  'Surrogate-Control',
  'Transfer-Encoding',
  // Node throws where it is announced for an answer whose length is known.
  'Trailer',
];

function prepareHeaders(res: Response, failure: Failure, { noStore, keepCookies }: ResolvedOptions): void {
  for (const field of STALE_FIELDS) {
    if (res.hasHeader(field)) res.removeHeader(field);
  }
  if (failure.status >= 500 && res.hasHeader('Set-Cookie')) keepOnlyCookies(res, keepCookies);

  if (noStore && failure.status !== 404 && failure.status !== 410) {
    res.setHeader('Cache-Control', 'no-store');
  } else if (isKept(res.getHeader('Cache-Control'))) {
    res.removeHeader('Cache-Control');
  }
  for (const name in failure.headers) {
    const value = failure.headers[name];
    if (value !== undefined) res.setHeader(name, value);
  }
}

function isKept(cacheControl: string | number | string[] | undefined): boolean {
  return cacheControl !== undefined && /\bpublic\b|s-maxage|max-age|immutable/i.test(String(cacheControl));
}

function keepOnlyCookies(res: Response, names: readonly string[]): void {
  const cookies = [res.getHeader('Set-Cookie') ?? []].flat().map(String);
  const kept = cookies.filter((cookie) => names.includes(cookie.slice(0, cookie.indexOf('='))));
  if (kept.length > 0) res.setHeader('Set-Cookie', kept);
  else res.removeHeader('Set-Cookie');
}

/** `res.vary` parses what is there; most often that is nothing, or `Origin` from CORS. */
function varyByAccept(res: Response): void {
  const vary = res.getHeader('Vary');
  if (vary === undefined) res.setHeader('Vary', 'Accept');
  else if (vary === 'Origin') res.setHeader('Vary', 'Origin, Accept');
  else res.vary('Accept');
}

/** Not `res.send`: an error wants no ETag and no freshness check. */
function send(req: Request, res: Response, status: number, contentType: string, body: string): void {
  res.statusCode = status;
  // An unset reason phrase follows the status; one that the failed handler set would not.
  res.statusMessage = '';
  varyByAccept(res);
  res.setHeader('Content-Type', contentType);
  if (!res.hasHeader('X-Content-Type-Options')) res.setHeader('X-Content-Type-Options', 'nosniff');
  res.setHeader('Content-Length', Buffer.byteLength(body));
  if (req.method === 'HEAD') res.end();
  else res.end(body);
}
