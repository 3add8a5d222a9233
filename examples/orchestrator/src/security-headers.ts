import type { RequestHandler } from 'express';
import helmet from 'helmet';

/** helmet, with a policy that lets the page load its own files and nothing else. */
export function securityHeaders({ https }: { https: boolean }): RequestHandler {
  return helmet({
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
