import type { RequestHandler } from 'express';
import type { JwkSet } from './jwk.js';

/** Answers with the keys. Others may keep them for a while, so that a new key has to be published before it signs. */
export function jwksRoute(jwks: () => JwkSet): RequestHandler {
  let keys: JwkSet | undefined;
  let body = '';

  return function jwksMiddleware(_req, res) {
    const current = jwks();
    if (current !== keys) {
      keys = current;
      body = JSON.stringify(current);
    }
    res.set('Cache-Control', 'public, max-age=300');
    // RFC 7517 section 8.5.2.
    res.type('application/jwk-set+json').send(body);
  };
}
