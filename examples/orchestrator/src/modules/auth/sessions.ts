import { NotFoundError } from '@signalbox/errors';
import { describeRoute, validate } from '@signalbox/validation';
import { Router } from 'express';
import { z } from 'zod';
import type { Background } from '../../background.js';
import type { Identity } from '../../identity.js';

const Id = z.object({ id: z.string().regex(/^[\w-]{22}$/, 'must be the id of a session') });

const SessionAnswer = z.object({
  id: z.string(),
  createdAt: z.iso.datetime(),
  lastSeenAt: z.iso.datetime(),
  device: z.string(),
  isCurrent: z.boolean(),
});

/**
 * `/sessions`: where somebody is signed in, to be looked at and ended. A key is for searching: whoever steals one must
 * not sign its owner out.
 */
export function sessionsRouter(identity: Identity, background: Background): Router {
  const note = identity.audit.noteIn(background);
  const router = Router();
  const tags = ['identity'];
  router.use(identity.inPerson);

  router.get(
    '/',
    describeRoute({
      summary: 'Where you are signed in',
      tags,
      responses: {
        200: { description: 'The newest first', schema: z.object({ sessions: z.array(SessionAnswer) }) },
      },
    }),
    async (req, res) => {
      const all = await identity.session.sessionsOf(identity.asker(req).id, req);
      const { session: here } = identity.signInOf(req);
      const sessions = all.map(({ current: _byCookie, ...session }) => ({
        ...session,
        isCurrent: here.includes(session.id),
      }));
      res.set('Cache-Control', 'no-store').json({ sessions });
    },
  );

  router.delete(
    '/',
    describeRoute({
      summary: 'End all other sessions',
      tags,
      responses: { 204: { description: 'Ended, with their tokens' } },
    }),
    async (req, res) => {
      await identity.signOutOthers(req);
      note('signed_out_everywhere', identity.asker(req).id);
      res.status(204).end();
    },
  );

  router.delete(
    '/:id',
    validate(
      { params: Id },
      {
        describe: {
          summary: 'End one session',
          tags,
          responses: {
            204: { description: 'Ended, with its tokens' },
            404: { description: 'There is none' },
          },
        },
      },
      async (req, res) => {
        if (!(await identity.endSession(req, req.valid.params.id))) {
          throw new NotFoundError('There is no such session');
        }
        note('session_ended', identity.asker(req).id);
        res.status(204).end();
      },
    ),
  );
  return router;
}
