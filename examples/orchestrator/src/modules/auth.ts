import type { Zones } from '@signalbox/rate-limit';
import { idempotency, memoryIdempotencyStore, redisIdempotencyStore } from '@signalbox/security';
import type { RedisLink } from '@signalbox/redis';
import express, { Router } from 'express';
import { sealed } from '../accounts/sealed.js';
import type { Background } from '../background.js';
import { derivedSecrets } from '../derived-secrets.js';
import type { Identity } from '../identity.js';
import type { Mail } from '../mail.js';
import { sealedAnswers } from '../sealed-answers.js';
import type { Settings, ZoneName } from '../settings.js';
import { keysRouter } from './auth/keys.js';
import { passwordRouter } from './auth/password.js';
import { secondFactorRouter } from './auth/second-factor.js';
import { sessionsRouter } from './auth/sessions.js';
import { signInRouter } from './auth/sign-in.js';

export interface AuthParts {
  settings: Settings;
  identity: Identity;
  limits: Zones<ZoneName>;
  redis: RedisLink | undefined;
  mail: Mail;
  background: Background;
  publicUrl: () => string;
}

/** Everything below `/auth`. */
export function authRouter(parts: AuthParts): Router {
  const { settings, identity, limits, redis } = parts;
  const router = Router();
  const loginLimit = limits.zone('login');
  // A form that is sent twice registers once, and makes one key.
  const answers = redis === undefined ? memoryIdempotencyStore() : redisIdempotencyStore(redis);
  const once = idempotency({
    store: sealedAnswers(answers, sealed(derivedSecrets(settings, 'answers'))),
    secrets: settings.SECRET_KEYS,
  });

  router.use(express.json({ limit: '16kb' }));
  router.use(
    signInRouter(identity, {
      loginLimit,
      registrationLimit: limits.zone('accounts'),
      guestLimit: limits.zone('guests'),
      once,
      background: parts.background,
    }),
  );
  router.use('/password', passwordRouter({ ...parts, loginLimit, letterLimit: limits.zone('letters') }));
  router.use('/sessions', sessionsRouter(identity, parts.background));
  router.use('/keys', keysRouter(identity, once, parts.background));
  router.use('/second-factor', secondFactorRouter(identity, loginLimit, parts.background));
  return router;
}
