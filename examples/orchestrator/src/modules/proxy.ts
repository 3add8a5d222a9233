import { proxy, type Proxy } from '@signalbox/gateway';

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
    // Its links begin with it then.
    headers: { 'X-Script-Name': PROXY_PATH },
    timeoutMs: 20_000,
  });
}
