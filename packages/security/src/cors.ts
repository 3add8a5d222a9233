import { signals } from '@signalbox/signals';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { resolveCorsOptions, type CorsOptions } from './cors-options.js';
import { CLOSED, corsPolicy, type CorsPolicy } from './cors-policy.js';

/**
 * Lets pages of other origins use the API: the package cors, with origins that are checked when they are written
 * down and answers that are worked out once.
 *
 * Every response carries `Vary: Origin`. An origin that is not allowed gets no CORS headers, which is how its
 * browser learns of it, and no error: the request is what it is without a browser. A preflight request is answered
 * with 204 either way. Mount it before anything that can refuse, so that errors can be read by scripts as well.
 *
 * A function that throws, or is too slow, has not allowed the origin; that is a `securityFinding`, and `cors` is
 * degraded until a function answers again.
 *
 * @throws {TypeError} when an option is wrong, or an origin is one that nobody should allow, at construction
 *
 * @example
 * app.use(cors({ origins: ['https://app.example.com', 'https://*.example.org'] }));
 */
export function cors(options: CorsOptions): RequestHandler {
  const { main, paths, production, timeoutMs } = resolveCorsOptions(options);
  const mainPolicy = corsPolicy(main, production, timeoutMs);
  const others = paths.map(({ path, rule }) => ({
    path,
    policy: rule === false ? CLOSED : corsPolicy(rule, production, timeoutMs),
  }));

  const policyOf = (req: Request): CorsPolicy => {
    // Express' routes do not tell upper from lower case: nor may what guards them.
    const asked = req.path.toLowerCase();
    for (const { path, policy } of others) {
      if (asked.startsWith(path) && (asked.length === path.length || asked[path.length] === '/'))
        return policy;
    }
    return mainPolicy;
  };

  return function corsMiddleware(req, res, next) {
    varyByOrigin(res);
    const policy = others.length === 0 ? mainPolicy : policyOf(req);
    const { origin } = req.headers;
    if (origin === undefined) {
      if (policy.anyone) allow('*', policy, res);
      return next();
    }
    const allowed = policy.judge(origin, req);
    if (typeof allowed === 'boolean') answer(allowed, origin, policy, req, res, next);
    else {
      void allowed.then((late) => {
        // Who was asked in the meantime may have answered, such as a timer: headers can no longer be set.
        if (!res.headersSent) answer(late, origin, policy, req, res, next);
      });
    }
  };
}

function answer(
  allowed: boolean,
  origin: string,
  policy: CorsPolicy,
  req: Request,
  res: Response,
  next: NextFunction,
): void {
  // Fetch section 3.3.2: without this field it is a request like any other, for a route of the app.
  const isPreflight = req.method === 'OPTIONS' && req.headers['access-control-request-method'] !== undefined;
  if (allowed) {
    if (isPreflight) return void policy.preflight(req, res, next);
    allow(policy.anyone ? '*' : origin, policy, res);
    return next();
  }
  if (signals.securityFinding.hasSubscribers && !isOwnOrigin(origin, req)) {
    const rule = isPreflight ? 'cors_preflight' : 'cors_origin';
    signals.securityFinding.publish({ kind: 'origin', rule, enforced: true });
  }
  if (!isPreflight) return next();
  res.statusCode = 204;
  res.end();
}

function allow(origin: string, { fields }: CorsPolicy, res: Response): void {
  res.setHeader('Access-Control-Allow-Origin', origin);
  for (const [name, value] of fields) res.setHeader(name, value);
}

/** Browsers name the origin of a page to its own site as well, unless it only reads. */
function isOwnOrigin(origin: string, req: Request): boolean {
  return (
    req.headers['sec-fetch-site'] === 'same-origin' ||
    origin.slice(origin.indexOf('://') + 3) === req.headers.host
  );
}

/** `res.vary` parses what is there; most often that is nothing. */
function varyByOrigin(res: Response): void {
  const vary = res.getHeader('Vary');
  if (vary === undefined) res.setHeader('Vary', 'Origin');
  else if (vary !== 'Origin') res.vary('Origin');
}
