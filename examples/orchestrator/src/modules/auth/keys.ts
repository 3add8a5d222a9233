import type { ApiKeyInfo } from '@signalbox/auth';
import { NotFoundError } from '@signalbox/errors';
import { describeRoute, validate } from '@signalbox/validation';
import { type RequestHandler, Router } from 'express';
import { z } from 'zod';
import type { Background } from '../../background.js';
import { type Identity, SCOPES } from '../../identity.js';

const DAY_MS = 86_400_000;

const NewKey = z.strictObject({
  name: z
    .string('must be text')
    .trim()
    .min(1, 'must not be empty')
    .max(80, 'must have at most 80 characters'),
  scopes: z.array(z.enum(SCOPES)).min(1, 'must have at least one').max(SCOPES.length).default(['search']),
  expiresInDays: z.int('must be a whole number').min(1).max(365).optional(),
});
const Id = z.object({ id: z.string().regex(/^[A-Za-z0-9]{1,40}$/, 'must be the id of a key') });

const KeyAnswer = z.object({
  id: z.string(),
  name: z.string(),
  scopes: z.array(z.string()),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime().optional(),
  lastUsedAt: z.iso.datetime().optional(),
});

/** `/keys`: keys for programs. A key makes no keys, so that whoever steals one cannot stay. */
export function keysRouter(identity: Identity, once: RequestHandler, background: Background): Router {
  const { keys } = identity;
  const note = identity.audit.noteIn(background);
  const router = Router();
  const tags = ['identity'];
  router.use(identity.account);

  router.get(
    '/',
    describeRoute({
      summary: 'Your API keys',
      tags,
      responses: {
        200: { description: 'The oldest first', schema: z.object({ keys: z.array(KeyAnswer) }) },
      },
    }),
    async (req, res) => {
      const all = await keys.list(identity.asker(req).id);
      res.set('Cache-Control', 'no-store').json({ keys: all.map(answerOf) });
    },
  );

  router.post(
    '/',
    once,
    validate(
      { body: NewKey },
      {
        describe: {
          summary: 'Make an API key',
          tags,
          responses: {
            201: {
              description: 'The key, which is never shown again',
              schema: KeyAnswer.extend({ key: z.string() }),
            },
          },
        },
      },
      async (req, res) => {
        const { name, scopes, expiresInDays } = req.valid.body;
        const { id: userId } = identity.asker(req);
        const made = await keys.create(userId, {
          name,
          scopes,
          roles: ['user'],
          ttlMs: expiresInDays === undefined ? undefined : expiresInDays * DAY_MS,
        });
        note('key_created', userId, { key: made.id });
        res
          .status(201)
          .set('Cache-Control', 'no-store')
          .json({ ...answerOf(made), key: made.key });
      },
    ),
  );

  router.delete(
    '/:id',
    validate(
      { params: Id },
      {
        describe: {
          summary: 'Revoke an API key',
          tags,
          responses: { 204: { description: 'Revoked' }, 404: { description: 'There is none' } },
        },
      },
      async (req, res) => {
        const { id: userId } = identity.asker(req);
        const { id } = req.valid.params;
        if (!(await identity.revokeKey(userId, id))) throw new NotFoundError('There is no such key');
        note('key_revoked', userId, { key: id });
        res.status(204).end();
      },
    ),
  );
  return router;
}

function answerOf({ id, name, scopes, createdAt, expiresAt, lastUsedAt }: ApiKeyInfo) {
  return { id, name, scopes, createdAt, expiresAt, lastUsedAt };
}
