import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { RequestHandler } from 'express';
import helmet, { type HelmetOptions } from 'helmet';

/** helmet, with a policy that lets the page load its own files and nothing else. */
export function securityHeaders({ https }: { https: boolean }): RequestHandler {
  return fixedHeaders({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'"],
        connectSrc: ["'self'"],
        formAction: ["'self'"],
        baseUri: ["'none'"],
        frameAncestors: ["'none'"],
        requireTrustedTypesFor: ["'script'"],
        ...(https && { upgradeInsecureRequests: [] }),
      },
    },
    // A promise that plain http cannot keep.
    strictTransportSecurity: https,
    xFrameOptions: { action: 'deny' },
  });
}

/**
 * helmet for options that depend on no request: its thirteen middlewares answer once, and what they have set is
 * what every response gets.
 */
export function fixedHeaders(options: HelmetOptions): RequestHandler {
  const req = new IncomingMessage(new Socket());
  const res = new ServerResponse(req);
  helmet(options)(req, res, (error?: unknown) => {
    if (error instanceof Error) throw error;
  });
  const fields = Object.entries(res.getHeaders()).map(([name, value]) => [name, String(value)] as const);

  return function securityHeadersMiddleware(_req, response, next) {
    for (const [name, value] of fields) response.setHeader(name, value);
    next();
  };
}
