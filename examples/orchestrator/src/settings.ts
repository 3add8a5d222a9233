import {
  cidrs,
  configOrExit,
  flag,
  list,
  origins,
  port,
  profile,
  rate,
  secret,
  secrets,
  text,
  url,
  type Config,
  type Rate,
} from '@signalbox/config';
import { cors, trustProxy } from '@signalbox/security';
import { z } from 'zod';

function isWebAddress(address: string): boolean {
  return /^https?:\/\//.test(address) && URL.canParse(address);
}

/** What a package says of a value; `undefined` where it takes it. */
function complaint(take: () => unknown): string | undefined {
  try {
    take();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message.replace(/^\w+: "\w+" /, '') : String(error);
  }
}

/** Everything that can be set, by the name of its environment variable. */
export const SETTINGS = z
  .object({
    HOST: text().default('127.0.0.1').describe('Address to listen on'),
    PORT: port().default(8889).describe('Port to listen on; 0 picks a free one'),
    SOCKET: text().optional().describe('Unix socket to listen on, instead of a port'),
    NODE_ENV: profile().describe('development, test or production'),
    PUBLIC_URL: url({ protocols: ['http', 'https'] })
      .optional()
      .describe('The origin that visitors use; by default http://HOST:PORT'),
    SECRET_KEYS: secrets({ generate: true }).describe('Secrets, newest first; each use derives its own key'),
    REDIS_URL: url({ protocols: ['redis', 'rediss', 'redis+sentinel', 'redis+cluster', 'unix'] })
      .optional()
      .describe('Redis for what processes share; none: each keeps its own in memory'),
    SEARXNG_URLS: list()
      .refine((urls) => urls.every(isWebAddress), 'must be URLs that begin with http:// or https://')
      .default([])
      .describe('SearXNG instances in order of preference; none: the embedded engine'),
    EMBEDDED_FALLBACK: flag().default(true).describe('Whether the embedded engine is the last of the chain'),
    CORS_ORIGINS: origins().default([]).describe('Origins of other sites that may use the API'),
    TRUST_PROXY: text()
      .superRefine((value, context) => {
        const message = complaint(() => trustProxy(value));
        if (message !== undefined) context.addIssue({ code: 'custom', message });
      })
      .default('off')
      .describe('Proxies in front: off, a number of hops, addresses and ranges, or loopback'),
    ADMIN_ALLOW: cidrs()
      .default(['127.0.0.0/8', '::1'])
      .describe('Who may read /health/detailed, /metrics and /admin'),
    METRICS_TOKEN: secret().optional().describe('Bearer token that also opens /metrics'),
    RATE_API: rate()
      .default({ limit: 10, windowMs: 1_000, burst: 20 })
      .describe('How often one address may call the API'),
    RATE_SEARCH: rate()
      .optional()
      .describe('How often one address may search: 5/s burst 10; 5/1m in the profile test'),
    SCREENING: z
      .enum(['off', 'report', 'enforce'])
      .default('report')
      .describe('What happens to requests that look like an attack'),
    LOG_LEVEL: z
      .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
      .default('info')
      .describe('How much is logged'),
    LOG_FILE: text().optional().describe('File to log to, instead of stdout; rotated at 10 MB'),
    PRIVACY: flag().default(true).describe('No query, address or user agent in logs and metrics'),
  })
  .refine(({ SEARXNG_URLS, EMBEDDED_FALLBACK }) => EMBEDDED_FALLBACK || SEARXNG_URLS.length > 0, {
    path: ['EMBEDDED_FALLBACK'],
    message: 'must be on where SEARXNG_URLS names no instance: there would be nothing to search',
  })
  .superRefine(({ CORS_ORIGINS, NODE_ENV }, context) => {
    const message = complaint(() => cors({ origins: CORS_ORIGINS, production: NODE_ENV === 'production' }));
    if (message !== undefined) context.addIssue({ code: 'custom', path: ['CORS_ORIGINS'], message });
  });

export type Settings = Config<typeof SETTINGS>;

export type ZoneName = 'api' | 'search';

/** The zones of the limits. In the profile `test` the sixth search of a minute is refused. */
export function rates({ RATE_API, RATE_SEARCH, NODE_ENV }: Settings): Record<ZoneName, Rate> {
  const search =
    NODE_ENV === 'test' ? { limit: 5, windowMs: 60_000 } : { limit: 5, windowMs: 1_000, burst: 10 };
  return { api: RATE_API, search: RATE_SEARCH ?? search };
}

/** The settings of this process; a wrong one ends it with every problem listed. */
export function readSettings(): Settings {
  return configOrExit(SETTINGS, {
    argv: process.argv.slice(2),
    files: [{ path: '.env', optional: true }],
    warn: (message) => process.stderr.write(`${message}\n`),
  });
}
