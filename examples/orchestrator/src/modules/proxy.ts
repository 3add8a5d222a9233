import { proxy, type Proxy } from '@signalbox/gateway';
import type { RequestHandler } from 'express';

/** Where SearXNG's own pages are. */
export const PROXY_PATH = '/proxy';

/** SearXNG as it is, its own page included, for whoever has a token of ours. That stays here. */
export function searxngProxy(urls: readonly string[]): Proxy {
  return proxy({
    name: 'searxng-proxy',
    to: urls,
    // The order is one of preference, as for searches.
    mode: 'preference',
    route: PROXY_PATH,
    stripHeaders: ['authorization', 'cookie', 'x-api-key'],
    // It took a token to get them: nobody on the way may keep them for others.
    // Nor do its cookies mean anything, since none is sent back, or its word on who may read.
    stripResponseHeaders: [
      'cache-control',
      'expires',
      'surrogate-control',
      'cdn-cache-control',
      'set-cookie',
      'access-control-*',
    ],
    // Its links begin with it then.
    headers: { 'X-Script-Name': PROXY_PATH },
    timeoutMs: 20_000,
  });
}

/** Whoever has a token may keep what it opened, and asks each time whether it changed. */
export const notForOthers: RequestHandler = (_req, res, next) => {
  res.set('Cache-Control', 'private, no-cache');
  next();
};
