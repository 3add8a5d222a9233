import { requireScope } from '@signalbox/auth';
import { describeRoute, validate } from '@signalbox/validation';
import express, { Router } from 'express';
import { z } from 'zod';
import type { HistoryKeeper } from '../accounts/history-keeper.js';
import type { Background } from '../background.js';
import type { Identity } from '../identity.js';
import { UserAnswer } from './auth/fields.js';

const Me = z.object({
  user: UserAnswer,
  session: z.object({
    method: z.enum(['token', 'api_key', 'session']),
    signedInAt: z.iso.datetime().optional(),
  }),
});
const HistoryPage = z.object({
  limit: z
    .string()
    .regex(/^\d{1,3}$/, 'must be a whole number from 1 to 100')
    .transform(Number)
    .refine((number) => number >= 1 && number <= 100, 'must be a whole number from 1 to 100')
    .default(20),
  before: z
    .string()
    .regex(/^\d{1,18}$/, 'must be the id of a search')
    .optional(),
});
const HistorySettings = z.strictObject({ keep: z.boolean('must be true or false') });

/** `/me` and `/history`: what is kept of who asks. */
export function accountRouter(identity: Identity, keeper: HistoryKeeper, background: Background): Router {
  const { users, history } = identity;
  const note = identity.audit.noteIn(background);
  const router = Router();
  const tags = ['account'];

  router.get(
    '/me',
    identity.required,
    describeRoute({ summary: 'Who you are', tags, responses: { 200: { schema: Me } } }),
    (req, res) => {
      const { id, email, roles, method, signedInAt } = identity.asker(req);
      res
        .set('Cache-Control', 'no-store')
        .json({ user: { id, email, roles }, session: { method, signedInAt } });
    },
  );

  router.use('/history', identity.required, requireScope('history'), express.json({ limit: '1kb' }));
  router.get(
    '/history',
    validate(
      { query: HistoryPage },
      {
        describe: {
          summary: 'Your searches, where you have them kept',
          tags,
          responses: {
            200: {
              description: 'The newest first',
              schema: z.object({
                keep: z.boolean(),
                searches: z.array(
                  z.object({ id: z.string(), query: z.string(), searchedAt: z.iso.datetime() }),
                ),
              }),
            },
          },
        },
      },
      async (req, res) => {
        const { id: userId } = identity.asker(req);
        const [user, searches] = await Promise.all([
          users.byId(userId),
          history.list(userId, req.valid.query),
        ]);
        res.set('Cache-Control', 'no-store').json({ keep: user?.keepsHistory ?? false, searches });
      },
    ),
  );
  router.put(
    '/history',
    validate(
      { body: HistorySettings },
      {
        describe: {
          summary: 'Have your searches kept, or not',
          tags,
          responses: { 204: { description: 'Done' } },
        },
      },
      async (req, res) => {
        await keeper.setWish(identity.asker(req).id, req.valid.body.keep);
        res.status(204).end();
      },
    ),
  );
  router.delete(
    '/history',
    describeRoute({
      summary: 'Delete your searches',
      tags,
      responses: { 204: { description: 'Deleted' } },
    }),
    async (req, res) => {
      const { id: userId } = identity.asker(req);
      const searches = await history.clear(userId);
      note('history_deleted', userId, { searches });
      res.status(204).end();
    },
  );
  return router;
}
