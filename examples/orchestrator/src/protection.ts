import { byAddress, byPrincipal, memoryStore, redisStore, zones, type Zones } from '@signalbox/rate-limit';
import type { RedisLink } from '@signalbox/redis';
import { securityHeaders } from '@signalbox/security';
import type { Request, RequestHandler, Response } from 'express';
import { derivedSecret } from './derived-secrets.js';
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

/** The limits. While Redis is gone each process of this machine counts by itself, against its share. */
export function allLimits(settings: Settings, redis: RedisLink | undefined): Zones<ZoneName> {
  const { api, search, login, accounts, guests, letters, guest, key } = rates(settings);
  return zones({
    store: redis === undefined ? memoryStore() : redisStore(redis),
    zones: {
      api,
      search,
      // Guessing is limited for whom it is about, and for who does it.
      login: { rate: login, count: 'failures', key: [byAccount, byAddress()] },
      accounts,
      guests,
      letters: { rate: letters, key: [byAccount, byAddress()] },
      guest: { rate: guest, key: byPrincipal() },
      key: { rate: key, key: byKey },
    },
    requestWasSuccessful: (_req, res) => !wasGuess(res),
    secret: derivedSecret(settings, 'limits').toString('hex'),
    instances: settings.WORKERS,
  });
}

/** What is refused with 422 before anything was compared. */
const NO_GUESSES: ReadonlySet<unknown> = new Set(['validation_failed', 'weak_password']);

/**
 * Whoever is asked for the code had the right password, and whoever forgot a field or chose a weak password has guessed
 * nothing.
 */
function wasGuess(res: Response & { err?: { code?: unknown } }): boolean {
  if (res.statusCode === 422) return !NO_GUESSES.has(res.err?.code);
  return res.statusCode === 401;
}

/** Each key by itself: whose programs are many needs many keys. */
export function byKey({ auth }: Request): string | undefined {
  return auth?.method === 'api_key' ? `key:${auth.id}` : undefined;
}

/**
 * Whom a form is about: the address that it names, else who is signed in. Not the other way round: as a guest, which
 * everybody can be as often as they like, one would guess at the password of an account without being counted there.
 */
function byAccount(req: Request): string | undefined {
  const { email } = (req.body ?? {}) as { email?: unknown };
  if (typeof email === 'string') return `email:${email.trim().toLowerCase().slice(0, 254)}`;
  return req.auth === undefined ? undefined : `account:${req.auth.subject}`;
}
