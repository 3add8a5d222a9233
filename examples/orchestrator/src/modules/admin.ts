import type { Modules } from '@signalbox/compose';
import type { Zones } from '@signalbox/rate-limit';
import type { RedisLink } from '@signalbox/redis';
import type { Screening } from '@signalbox/security';
import { Router } from 'express';

/** What an operator looks into. */
export interface AdminView {
  limits: Zones<string>;
  screen: Screening;
  redis: RedisLink | undefined;
  modules: () => Modules;
}

/** `GET /overview`: how the parts stand, without a name, address or query of anybody. */
export function adminRouter({ limits, screen, redis, modules }: AdminView): Router {
  const router = Router();

  router.get('/overview', (_req, res) => {
    res.set('Cache-Control', 'no-store');
    res.json({
      timestamp: new Date().toISOString(),
      redis: redis === undefined ? { state: 'not_used' } : { state: redis.state, cluster: redis.cluster },
      // Counted by this process since it started.
      limits: limits.report(),
      screening: screen.report(),
      modules: modules()
        .states()
        .map(({ name, prefix, state }) => ({ name, prefix, state })),
    });
  });
  return router;
}
