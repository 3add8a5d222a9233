import { NotFoundError } from '@signalbox/errors';
import type { Modules } from '@signalbox/compose';
import type { Zones } from '@signalbox/rate-limit';
import type { RedisLink } from '@signalbox/redis';
import type { Screening } from '@signalbox/security';
import { validate } from '@signalbox/validation';
import { Router } from 'express';
import { z } from 'zod';
import type { Identity } from '../identity.js';

/** What an operator looks into. */
export interface AdminView {
  limits: Zones<string>;
  screen: Screening;
  redis: RedisLink | undefined;
  identity: Identity;
  modules: () => Modules;
}

const UserId = z.object({ id: z.string().regex(/^(u|guest)_[\w-]{1,60}$/, 'must be the id of a user') });

/** `GET /overview`: how the parts stand, without a name, address or query of anybody. */
export function adminRouter({ limits, screen, redis, identity, modules }: AdminView): Router {
  const router = Router();

  router.get('/overview', (_req, res) => {
    res.set('Cache-Control', 'no-store');
    res.json({
      timestamp: new Date().toISOString(),
      database: { state: identity.database.state, pool: identity.database.stats() },
      redis: redis === undefined ? { state: 'not_used' } : { state: redis.state, cluster: redis.cluster },
      // Counted by this process since it started.
      limits: limits.report(),
      screening: screen.report(),
      modules: modules()
        .states()
        .map(({ name, prefix, state }) => ({ name, prefix, state })),
    });
  });

  router.post(
    '/users/:id/signout',
    validate(
      { params: UserId },
      {
        describe: {
          summary: 'Sign a user out everywhere',
          tags: ['admin'],
          responses: { 204: { description: 'Signed out' }, 404: { description: 'There is no such user' } },
        },
      },
      async (req, res) => {
        const { id } = req.valid.params;
        const isGuest = id.startsWith('guest_');
        if (!isGuest && (await identity.users.byId(id)) === undefined) {
          throw new NotFoundError('There is no such user');
        }
        await identity.signOutEverywhere(id);
        await identity.audit.record('signed_out_everywhere', id, { details: { by: identity.asker(req).id } });
        res.status(204).end();
      },
    ),
  );
  return router;
}
