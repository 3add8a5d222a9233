import { requireScope } from '@signalbox/auth';
import { timed, timeSpan } from '@signalbox/compose';
import { facts } from '@signalbox/context';
import type { FallbackResult } from '@signalbox/gateway';
import { validate } from '@signalbox/validation';
import { Router, type Response } from 'express';
import { z } from 'zod';
import type { HistoryKeeper } from '../accounts/history-keeper.js';
import type { Identity } from '../identity.js';
import type { ResultWindow } from '../search/result-window.js';
import type { SearchChain } from '../search/search-chain.js';

const wholeNumber = (max: number) =>
  z
    .string()
    .regex(/^\d{1,3}$/, `must be a whole number from 1 to ${max}`)
    .transform(Number)
    .refine((number) => number >= 1 && number <= max, `must be a whole number from 1 to ${max}`);

const Query = z.object({
  q: z
    .string('must be given once')
    .trim()
    .min(1, 'must not be empty')
    .max(1_000, 'must have at most 1000 characters'),
  page: wholeNumber(100).default(1),
  per_page: wholeNumber(50).default(10),
  category: z
    .string()
    .regex(/^[\w -]{1,40}(,[\w -]{1,40}){0,9}$/, 'must be one or more categories with commas between them')
    .optional(),
  language: z
    .string()
    .regex(/^(all|auto|[a-z]{2,3}(-[A-Za-z]{2,4})?)$/, 'must be a language such as de or de-CH, or all')
    .optional(),
});

const Answer = z.object({
  results: z.array(
    z.object({
      title: z.string(),
      url: z.url(),
      content: z.string(),
      engine: z.string(),
      score: z.number(),
    }),
  ),
  meta: z.object({
    query: z.string(),
    total: z.number().meta({ description: 'At least so many' }),
    page: z.number(),
    perPage: z.number(),
    engines: z.array(z.string()),
    source: z.string().meta({ description: 'searxng, searxng-2, … or embedded' }),
    degraded: z.boolean().meta({ description: 'Whether the first choice did not answer' }),
    attempts: z.array(
      z.object({
        source: z.string(),
        outcome: z.enum(['ok', 'empty', 'error', 'timeout']),
        durationMs: z.number(),
        code: z.string().optional(),
      }),
    ),
    suggestions: z.array(z.string()),
  }),
  _meta: z.object({ duration: z.number().meta({ description: 'Seconds' }), timestamp: z.iso.datetime() }),
});

export interface SearchParts {
  search: SearchChain;
  identity: Identity;
  keeper: HistoryKeeper;
}

/** `GET /search`: the sources in order, one page of what the first good one found. */
export function searchRouter({ search, identity, keeper }: SearchParts): Router {
  const router = Router();
  const describe = {
    summary: 'Search',
    tags: ['search'],
    responses: { 200: { description: 'One page of results', schema: Answer } },
  };

  router.get(
    '/search',
    identity.required,
    requireScope('search'),
    timed(),
    validate({ query: Query }, { describe }, async (req, res) => {
      const { q, page, per_page: perPage, category, language } = req.valid.query;
      facts(req).phase = 'search';
      keeper.searched(req, q);
      const found = await timeSpan(req, 'search', () =>
        search({ q, offset: (page - 1) * perPage, size: perPage, category, language }),
      );
      setPageHeaders(res, req.path, { ...req.valid.query, page, perPage }, found.value.total);
      res.set('Cache-Control', 'no-store');
      res.set('Cache-Status', `signalbox; fwd=bypass; detail=${found.source}`);
      res.json(bodyOf(found, { q, page, perPage }));
    }),
  );
  return router;
}

function bodyOf(found: FallbackResult<ResultWindow>, asked: { q: string; page: number; perPage: number }) {
  const { value, source, degraded, attempts } = found;
  return {
    results: value.results.map(({ title, url, content, engine, score }) => ({
      title,
      url,
      content,
      engine,
      score,
    })),
    meta: {
      query: asked.q,
      total: value.total,
      page: asked.page,
      perPage: asked.perPage,
      engines: [...new Set(value.results.flatMap(({ engines }) => engines))],
      source,
      degraded,
      attempts: attempts.map(({ name, ...attempt }) => ({ source: name, ...attempt })),
      suggestions: value.suggestions,
    },
  };
}

interface Page {
  q: string;
  page: number;
  perPage: number;
  category?: string | undefined;
  language?: string | undefined;
}

/** `Link` by RFC 8288, with references relative to the request. */
function setPageHeaders(res: Response, path: string, asked: Page, total: number): void {
  const { page, perPage } = asked;
  const last = Math.max(1, Math.ceil(total / perPage));
  const link = (rel: string, to: number): string => {
    const query = new URLSearchParams({ q: asked.q, page: String(to), per_page: String(perPage) });
    if (asked.category !== undefined) query.set('category', asked.category);
    if (asked.language !== undefined) query.set('language', asked.language);
    return `<${res.req.baseUrl}${path}?${query.toString()}>; rel="${rel}"`;
  };
  const links = [link('first', 1)];
  if (page > 1) links.push(link('prev', Math.min(page - 1, last)));
  if (page < last) links.push(link('next', page + 1));
  links.push(link('last', last));

  res.set({
    'X-Total-Count': String(total),
    'X-Page': String(page),
    'X-Per-Page': String(perPage),
    Link: links.join(', '),
  });
}
