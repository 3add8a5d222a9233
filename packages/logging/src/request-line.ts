import { facts } from '@signalbox/context';
import type { Request, Response } from 'express';
import type { Exchange } from './exchange.js';
import type { Redactor } from './redact.js';
import type { ResolvedRequestLoggerOptions } from './request-logger-options.js';
import { visitorNames } from './visitor.js';

/** Writes requests down, the same way in the request line and in the warning of a slow one. */
export interface RequestWriter {
  /** `GET /users/:id`; of an unmatched request the path, or in privacy mode `unmatched`. */
  readonly title: (req: Request, exchange: Exchange) => string;
  readonly line: (req: Request, res: Response, exchange: Exchange) => object;
}

const UNMATCHED = 'unmatched';

/** `:token`, `*rest`, `:"reset-token"`, and of a regular expression `(?<token>`. */
const PARAMETERS = /[:*](?:"(?:[^"\\]|\\.)+"|[\p{ID_Continue}$]+)|\(\?<\w+>/gu;

const MAX_URL = 2_048;
const MAX_USER_AGENT = 512;

export function requestWriter(
  { privacy, fields }: Pick<ResolvedRequestLoggerOptions, 'privacy' | 'fields'>,
  redactor: Redactor,
): RequestWriter {
  const visitorName = privacy === undefined ? undefined : visitorNames(privacy);
  const isPrivate = visitorName !== undefined;

  function title(req: Request, { route }: Exchange): string {
    return `${req.method} ${route ?? (isPrivate ? UNMATCHED : pathOf(req.originalUrl))}`;
  }

  function line(req: Request, res: Response, exchange: Exchange): object {
    const { status, outcome, address, route } = exchange;
    const { userId, apiVersion, cacheStatus, rateLimit, phase } = facts(req);
    const userAgent = req.headers['user-agent'];

    // One literal for every request: V8 and pino's loop over it are fast when the shape is always the
    // same. Members that are undefined are not printed.
    const line = {
      traceId: traceIdOf(req),
      method: req.method,
      route: route ?? UNMATCHED,
      url: isPrivate ? undefined : urlOf(req.originalUrl, route),
      status,
      durationMs: Math.round(exchange.durationMs * 1_000) / 1_000,
      bytes: req.socket.bytesWritten - exchange.bytesBefore,
      userId,
      apiVersion,
      cacheStatus,
      rateLimit,
      outcome,
      phase: outcome === 'timeout' ? phase : undefined,
      visitor: visitorName?.(address ?? '', userAgent ?? ''),
      remoteAddress: isPrivate ? undefined : address,
      userAgent: isPrivate ? undefined : userAgent?.slice(0, MAX_USER_AGENT),
      code: undefined as string | undefined,
      err: undefined as unknown,
    };
    if (exchange.error !== undefined) addError(line, exchange.error);
    return fields === undefined ? line : { ...line, ...redactor.object(fields(req, res)) };
  }

  /** The caller's mistakes are told by their code; of what went wrong here everything is told. */
  function addError(line: { code: string | undefined; err: unknown; outcome: string }, error: unknown): void {
    const { code } = Object(error) as { code?: unknown };
    if (line.outcome === 'error' || line.outcome === 'timeout') line.err = describe(error);
    else if (typeof code === 'string') line.code = code;
  }

  /** Anything can be thrown. */
  function describe(error: unknown): unknown {
    const safe = redactor.value(error);
    return typeof safe === 'object' ? safe : { type: typeof error, message: safe };
  }

  const templates = new Map<string, boolean>();

  /** `/reset/:token` has its secret in the path. */
  function hasSecretInPath(route: string): boolean {
    const known = templates.get(route);
    if (known !== undefined) return known;
    const parameters = route.match(PARAMETERS) ?? [];
    const verdict = parameters.some((parameter) => redactor.names.isSecretKey(parameter));
    templates.set(route, verdict);
    return verdict;
  }

  function urlOf(url: string, route: string | undefined): string {
    if (route !== undefined && hasSecretInPath(route)) return route;
    return shown(redactor.target(url));
  }

  function pathOf(url: string): string {
    const end = url.indexOf('?');
    return shown(end === -1 ? url : url.slice(0, end));
  }

  /** A proxy's request line has a whole URL, with user and password perhaps (RFC 9112 section 3.2.2). */
  function shown(url: string): string {
    const safe = url.startsWith('/') ? url : redactor.text(url);
    return safe.length <= MAX_URL ? safe : `${safe.slice(0, MAX_URL)}…`;
  }

  return { title, line };
}

/** `undefined` where no `requestContext()` is mounted. */
function traceIdOf(req: Request): string | undefined {
  const { trace } = req as { trace?: Request['trace'] };
  return trace?.traceId;
}
