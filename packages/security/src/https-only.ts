import { isForwarded, plainAddress } from '@signalbox/context';
import {
  parsedUrl,
  refuseUnknownOptions,
  requireBoolean,
  requireObject,
  requireOneOf,
  wrongOption,
} from '@signalbox/options';
import type { Request, RequestHandler } from 'express';
import { HttpsRequiredError } from './errors.js';

/** Options of {@link httpsOnly}. */
export interface HttpsOnlyOptions {
  /** Where visitors are sent, such as `https://app.example.com`; its path does not count. */
  publicUrl: string;
  /**
   * Other hosts that are the app's, such as `www.example.com` or `app.example.com:8443`: visitors of these stay
   * there. Any other `Host` leads to `publicUrl`.
   * @default []
   */
  hosts?: readonly string[] | undefined;
  /**
   * Paths that are answered over plain http as well, such as probes.
   * @default []
   */
  exempt?: readonly string[] | undefined;
  /**
   * Requests from the machine itself are answered over plain http as well, where no proxy says that it has passed them on:
   * nobody reads them on the way. For operators who ask the process behind its proxy.
   * @default false
   */
  exemptLoopback?: boolean | undefined;
  /** @default 308 */
  status?: 301 | 302 | 307 | 308 | undefined;
}

const STATUSES = [301, 302, 307, 308] as const;

/**
 * Sends GET and HEAD that came over plain http to https; other methods are 403 `https_required`, since what they
 * brought was readable on the way, and a redirect would hide that. The scheme is the one after trusted proxies.
 *
 * The redirect leads to the app's own hosts, whatever `Host` says.
 *
 * @throws {TypeError} when an option is wrong, at construction
 *
 * @example
 * app.use(httpsOnly({ publicUrl: 'https://app.example.com', exempt: ['/livez', '/readyz'] }));
 */
export function httpsOnly(options: HttpsOnlyOptions): RequestHandler {
  const { origin, hosts, exempt, exemptLoopback, status } = resolveOptions(options);

  return function httpsOnlyMiddleware(req, res, next) {
    if (req.secure || exempt.has(withoutSlash(req.path)) || (exemptLoopback && isFromLoopback(req)))
      return next();
    if (req.method !== 'GET' && req.method !== 'HEAD') return next(new HttpsRequiredError());

    const { host = '' } = req.headers;
    const target = hosts.has(host.toLowerCase()) ? `https://${host.toLowerCase()}` : origin;
    res.location(target + pathOf(req));
    res.status(status).end();
  };
}

/** A proxy on the machine says for whom it asks, and is not taken for its visitor. */
function isFromLoopback(req: Request): boolean {
  const address = plainAddress(req.socket.remoteAddress ?? '');
  return (address === '::1' || address.startsWith('127.')) && !isForwarded(req);
}

interface Resolved {
  origin: string;
  hosts: ReadonlySet<string>;
  exempt: ReadonlySet<string>;
  exemptLoopback: boolean;
  status: number;
}

function resolveOptions(options: HttpsOnlyOptions): Resolved {
  requireObject('httpsOnly', 'options', options);
  refuseUnknownOptions('httpsOnly', options, ['publicUrl', 'hosts', 'exempt', 'exemptLoopback', 'status']);
  const { publicUrl, hosts = [], exempt = [], exemptLoopback = false, status = 308 } = options;

  const wanted = 'a URL that begins with https://';
  if (
    typeof publicUrl !== 'string' ||
    !/^https:\/\/[^@]+$/i.test(publicUrl) ||
    parsedUrl(publicUrl) === undefined
  ) {
    throw wrongOption('httpsOnly', 'publicUrl', wanted, publicUrl);
  }
  requireTexts('hosts', hosts, 'hosts such as www.example.com', isHost);
  requireTexts('exempt', exempt, 'paths such as /livez', (path) => /^\/[^?#\s]*$/.test(path));
  requireBoolean('httpsOnly', 'exemptLoopback', exemptLoopback);
  requireOneOf('httpsOnly', 'status', status, STATUSES);
  return {
    origin: new URL(publicUrl).origin,
    hosts: new Set(hosts.map((host) => host.toLowerCase())),
    exempt: new Set(exempt.map(withoutSlash)),
    exemptLoopback,
    status,
  };
}

function isHost(host: string): boolean {
  return /^[^\s/?#@*\\]+$/.test(host) && (parsedUrl(`https://${host}`)?.host ?? '') !== '';
}

function requireTexts(option: string, list: unknown, wanted: string, fits: (text: string) => boolean): void {
  if (!Array.isArray(list)) throw wrongOption('httpsOnly', option, `a list of ${wanted}`, list);
  for (const each of list as readonly unknown[]) {
    if (typeof each !== 'string' || !fits(each))
      throw wrongOption('httpsOnly', option, `a list of ${wanted}`, each);
  }
}

/** RFC 9112 section 3.2: a request to a proxy names a whole URL, whose host is the caller's choice. */
function pathOf({ originalUrl }: Request): string {
  if (originalUrl.startsWith('/')) return originalUrl;
  const { pathname = '/', search = '' } = parsedUrl(originalUrl) ?? {};
  return pathname.startsWith('/') ? pathname + search : '/';
}

function withoutSlash(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}
