import { hkdfSync } from 'node:crypto';
import { memoryStore, redisStore, zones, type Zones } from '@signalbox/rate-limit';
import type { RedisLink } from '@signalbox/redis';
import { securityHeaders } from '@signalbox/security';
import type { RequestHandler } from 'express';
import { rates, type Settings, type ZoneName } from './settings.js';

/** helmet's headers, with a policy that lets the page load its own files and nothing else. */
export function pageHeaders({ PUBLIC_URL }: Settings): RequestHandler {
  return securityHeaders({
    https: PUBLIC_URL?.startsWith('https:') ?? false,
    directives: {
      'default-src': ["'none'"],
      'script-src': ["'self'"],
      'style-src': ["'self'"],
      'img-src': ["'self'"],
      'connect-src': ["'self'"],
      'form-action': ["'self'"],
      'require-trusted-types-for': ["'script'"],
    },
    reportTo: '/csp-reports',
    helmet: { referrerPolicy: { policy: 'no-referrer' } },
  });
}

/** The limits by address. Without Redis each process counts by itself. */
export function addressLimits(settings: Settings, redis: RedisLink | undefined): Zones<ZoneName> {
  return zones({
    store: redis === undefined ? memoryStore() : redisStore(redis),
    zones: rates(settings),
    secret: derivedSecret(settings, 'limits').toString('hex'),
  });
}

/** Processes that share their secrets derive the same; no secret serves two purposes. */
export function derivedSecret({ SECRET_KEYS: [newest = ''] }: Settings, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', newest, '', `signalbox:${purpose}`, 32));
}
