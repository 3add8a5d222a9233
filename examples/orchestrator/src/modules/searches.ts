import { requireScope } from '@signalbox/auth';
import type { Zones } from '@signalbox/rate-limit';
import { validate } from '@signalbox/validation';
import express, { Router } from 'express';
import { z } from 'zod';
import type { HistoryKeeper } from '../accounts/history-keeper.js';
import type { Identity } from '../identity.js';
import type { SearchJobs } from '../search/search-jobs.js';
import { Query } from './search/query.js';

const NewSearch = z.strictObject({ q: Query.shape.q });
const SearchId = z.object({ id: z.string().regex(/^[\w-]{22}$/, 'must be the id of a search') });
const Standing = z.object({
  id: z.string(),
  state: z.enum(['running', 'complete', 'failed']),
  seq: z.number().meta({ description: 'The number of its last event' }),
  progress: z.looseObject({ progress: z.number().optional(), stage: z.string().optional() }).optional(),
  result: z.looseObject({ query: z.string() }).optional(),
  error: z.looseObject({ type: z.string(), message: z.string() }).optional(),
});

export interface SearchesParts {
  jobs: SearchJobs;
  identity: Identity;
  keeper: HistoryKeeper;
  limits: Zones<'search'>;
}

/** `POST /searches` begins a search, whose progress comes over Socket.IO; `GET /searches/:id` has its result. */
export function searchesRouter({ jobs, identity, keeper, limits }: SearchesParts): Router {
  const router = Router();
  const tags = ['search'];
  router.use('/searches', identity.required, requireScope('search'));

  router.post(
    '/searches',
    limits.zone('search'),
    express.json({ limit: '8kb' }),
    validate(
      { body: NewSearch },
      {
        describe: {
          summary: 'Begin a search',
          tags,
          responses: { 202: { description: 'It runs', schema: z.object({ id: z.string() }) } },
        },
      },
      async (req, res) => {
        const { q } = req.valid.body;
        const who = identity.asker(req);
        keeper.searched(who, q);
        const { id } = await jobs.start('search', { q }, { owner: who.id, about: { query: q } });
        res
          .status(202)
          .set({ Location: `${req.baseUrl}/searches/${id}`, 'Cache-Control': 'no-store' })
          .json({ id });
      },
    ),
  );
  router.get(
    '/searches/:id',
    validate(
      { params: SearchId },
      {
        describe: {
          summary: 'How a search stands, and its result',
          tags,
          responses: { 200: { schema: Standing }, 404: { description: 'There is none, or it is not yours' } },
        },
      },
      async (req, res) => {
        const standing = await jobs.result(req.valid.params.id, identity.asker(req).id);
        res.set('Cache-Control', 'no-store').json(standing);
      },
    ),
  );
  return router;
}
