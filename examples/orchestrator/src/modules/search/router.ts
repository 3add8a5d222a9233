import { requireScope } from '@signalbox/auth';
import type { Cache } from '@signalbox/cache';
import { timed, timeSpan } from '@signalbox/compose';
import { facts } from '@signalbox/context';
import { validate } from '@signalbox/validation';
import { Router, type Response } from 'express';
import type { HistoryKeeper } from '../../accounts/history-keeper.js';
import type { Identity } from '../../identity.js';
import { markSource } from '../../search/answer-cache.js';
import type { SearchChain } from '../../search/search-chain.js';
import { lastPage, type Format } from './answers.js';
import { Query, type Asked } from './query.js';

export interface SearchParts {
  search: SearchChain;
  answers: Cache;
  /** `Cache-Control` of what is second best. */
  whenDegraded: string;
  identity: Identity;
  keeper: HistoryKeeper;
}

/** One page of what the first good source found, made anew or kept, as one version of the API tells it. */
export function searchRouter(
  format: Format,
  { search, answers, whenDegraded, identity, keeper }: SearchParts,
): Router {
  const router = Router();
  const describe = {
    summary: 'Search',
    tags: ['search'],
    deprecated: format.isDeprecated ?? false,
    responses: { 200: { description: 'One page of results', schema: format.schema } },
  };
  const asked = validate({ query: Query }, { describe });

  router.get(
    '/',
    identity.required,
    requireScope('search'),
    asked,
    (req, _res, next) => {
      facts(req).phase = 'search';
      // Also of what was kept: it is the search that is remembered.
      keeper.searched(identity.asker(req), asked.read(req).query.q);
      next();
    },
    answers.answer,
    timed(),
    async (req, res) => {
      const { query } = asked.read(req);
      const { q, page, per_page: size, category, language } = query;
      const found = await timeSpan(req, 'search', () =>
        search({ q, offset: (page - 1) * size, size, category, language }),
      );
      // An older answer of the first choice is better than a new one of the second: it is sent instead of this.
      if (found.degraded && answers.standsBy(req)) return void res.status(503).end();
      if (found.degraded) res.set('Cache-Control', whenDegraded);
      markSource(res, found.source);
      setPageHeaders(res, query, found.value.total);
      res.json(format.body(found, query));
    },
  );
  return router;
}

/** `Link` by RFC 8288, with references relative to the request. */
function setPageHeaders(res: Response, asked: Asked, total: number): void {
  const { page, per_page: size } = asked;
  const last = lastPage(total, size);
  const link = (rel: string, to: number): string => {
    const query = new URLSearchParams({ q: asked.q, page: String(to), per_page: String(size) });
    if (asked.category !== undefined) query.set('category', asked.category);
    if (asked.language !== undefined) query.set('language', asked.language);
    return `<${res.req.baseUrl}?${query.toString()}>; rel="${rel}"`;
  };
  const links = [link('first', 1)];
  if (page > 1) links.push(link('prev', Math.min(page - 1, last)));
  if (page < last) links.push(link('next', page + 1));
  links.push(link('last', last));

  res.set({
    'X-Total-Count': String(total),
    'X-Page': String(page),
    'X-Per-Page': String(size),
    Link: links.join(', '),
  });
}
