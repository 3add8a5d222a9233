import type { Alerts } from '@signalbox/alerts';
import type { Cache, CacheReport } from '@signalbox/cache';
import { routes, type Modules } from '@signalbox/compose';
import { processManager } from '@signalbox/cluster';
import { ConflictError, NotFoundError } from '@signalbox/errors';
import type { Proxy, Searxng } from '@signalbox/gateway';
import type { Zones } from '@signalbox/rate-limit';
import type { Realtime } from '@signalbox/realtime';
import type { RedisLink } from '@signalbox/redis';
import type { Screening } from '@signalbox/security';
import { describeRoute, validate } from '@signalbox/validation';
import type { UsageReport } from '@signalbox/versioning';
import express, { Router, type Express, type RequestHandler } from 'express';
import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';
import type { Background } from '../background.js';
import type { Identity } from '../identity.js';

/** What an operator looks into. */
export interface AdminView {
  app: Express;
  limits: Zones<string>;
  screen: Screening;
  answers: Cache;
  usage: UsageReport;
  watcher: Alerts;
  redis: RedisLink | undefined;
  instances: Searxng | undefined;
  passThrough: Proxy | undefined;
  identity: Identity;
  modules: () => readonly Modules[];
  live: () => Realtime<object> | undefined;
  metrics: RequestHandler;
  background: Background;
}

const UserId = z.object({ id: z.string().regex(/^(u|guest)_[\w-]{1,60}$/, 'must be the id of a user') });
const path = z.string().regex(/^\/[^\s?#]{0,499}$/, 'must be a path, such as /api/v2');
/** One of them: strict objects refuse what has two. */
const WhatToForget = z.union(
  [
    z.strictObject({ tag: z.string().regex(/^[\w:.-]{1,100}$/, 'must be a tag, such as search') }),
    z.strictObject({ prefix: path }),
    z.strictObject({ pattern: path }),
    z.strictObject({ key: path }),
  ],
  'must have one of tag, prefix, pattern and key',
);
const tags = ['admin'];

/** How the parts stand, without a name, address or query of anybody; and what an operator may do. */
export function adminRouter(view: AdminView): Router {
  const router = Router();
  router.use((_req, res, next) => {
    res.set('Cache-Control', 'no-store');
    next();
  });
  // /metrics is for who scrapes, and a proxy in front may keep it from everybody else.
  router.get('/metrics', view.metrics);
  router.get(
    '/overview',
    describeRoute({ summary: 'How the parts of this process stand', tags, responses: { 200: {} } }),
    (_req, res) => void res.json(overviewOf(view)),
  );
  router.get(
    '/routes',
    describeRoute({ summary: 'The routes, and what they go through', tags, responses: { 200: {} } }),
    (_req, res) => void res.json({ routes: routes(view.app) }),
  );
  router.get(
    '/deprecations',
    describeRoute({ summary: 'Who still calls what is deprecated', tags, responses: { 200: {} } }),
    async (_req, res) => void res.json(await view.usage.report()),
  );
  addWorkers(router, view);
  addAlerts(router, view);
  addInvalidation(router, view);
  addSignOut(router, view);
  return router;
}

/** Counted by this process since it started. */
function overviewOf(view: AdminView) {
  const { limits, screen, answers, redis, instances, passThrough, identity, modules, live } = view;
  return {
    timestamp: new Date().toISOString(),
    database: { state: identity.database.state, pool: identity.database.stats() },
    redis: redis === undefined ? { state: 'not_used' } : { state: redis.state, cluster: redis.cluster },
    cache: answers.report() satisfies CacheReport,
    upstreams: [instances?.state(), passThrough?.state()].filter((state) => state !== undefined),
    sockets: live()?.report(),
    limits: limits.report(),
    screening: screen.report(),
    modules: modules()
      .flatMap((each) => each.states())
      .map(({ name, prefix, state }) => ({ name, prefix, state })),
  };
}

/** Less than the time that a request has, and than the page waits. */
const DECIDED_WITHIN_MS = 15_000;

function addWorkers(router: Router, { identity, background }: AdminView): void {
  const note = identity.audit.noteIn(background);
  router.get(
    '/workers',
    describeRoute({ summary: 'The processes that serve', tags, responses: { 200: {} } }),
    async (_req, res) => {
      const manager = processManager();
      res.json(manager === undefined ? { managed: false } : { managed: true, ...(await manager.status()) });
    },
  );
  router.post(
    '/workers/reload',
    describeRoute({
      summary: 'Replace all workers, one after the other, without losing a request',
      tags,
      responses: {
        200: { description: 'What became of it' },
        202: { description: 'The new workers are still starting; GET /admin/workers will say' },
        409: { description: 'There is no manager' },
      },
    }),
    async (req, res) => {
      const manager = processManager();
      if (manager === undefined) throw new ConflictError('One process serves: restart it');
      note('workers_reloaded', identity.asker(req).id);
      const outcome = await Promise.race([
        manager.reload(),
        wait(DECIDED_WITHIN_MS, undefined, { ref: false }),
      ]);
      if (outcome === undefined) res.status(202).json({ outcome: 'under_way' });
      else res.json(outcome);
    },
  );
}

function addAlerts(router: Router, { watcher }: AdminView): void {
  router.get(
    '/alerts',
    describeRoute({
      summary: 'What is wrong, and how those who are told fare',
      tags,
      responses: { 200: {} },
    }),
    (_req, res) => void res.json(watcher.report()),
  );
  router.post(
    '/alerts/test',
    describeRoute({
      summary: 'Send a test message to all channels',
      tags,
      responses: { 200: { description: 'How each of them fared' } },
    }),
    async (_req, res) => void res.json({ channels: await watcher.test() }),
  );
}

function addInvalidation(router: Router, { answers, identity, background }: AdminView): void {
  const note = identity.audit.noteIn(background);
  router.post(
    '/cache/invalidate',
    express.json({ limit: '1kb' }),
    validate(
      { body: WhatToForget },
      {
        describe: {
          summary: 'Forget answers that are kept, in all processes',
          tags,
          responses: { 204: { description: 'Forgotten' }, 503: { description: 'Not everywhere, now' } },
        },
      },
      async (req, res) => {
        const what = req.valid.body;
        await answers.invalidate(what);
        note('cache_invalidated', identity.asker(req).id, { ...what });
        res.status(204).end();
      },
    ),
  );
}

function addSignOut(router: Router, { identity, background }: AdminView): void {
  const note = identity.audit.noteIn(background);
  router.post(
    '/users/:id/signout',
    validate(
      { params: UserId },
      {
        describe: {
          summary: 'Sign a user out everywhere',
          tags,
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
        note('signed_out_everywhere', id, { by: identity.asker(req).id });
        res.status(204).end();
      },
    ),
  );
}
