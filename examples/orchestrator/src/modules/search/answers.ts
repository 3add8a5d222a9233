import type { FallbackResult } from '@signalbox/gateway';
import { z } from 'zod';
import type { ResultWindow } from '../../search/result-window.js';
import { MAX_PAGE, type Asked } from './query.js';

/** What the sources found. */
export type Found = FallbackResult<ResultWindow>;

/** How one version of the API tells what was found. */
export interface Format<Body extends object = object> {
  readonly isDeprecated?: boolean;
  readonly schema: z.ZodType;
  readonly body: (found: Found, asked: Asked) => Body;
}

const Result = z.object({
  title: z.string(),
  url: z.url(),
  content: z.string(),
  engine: z.string(),
  score: z.number(),
});
const Made = z.object({
  duration: z.number().meta({ description: 'Seconds that making it took' }),
  timestamp: z.iso.datetime().meta({ description: 'When it was made; a kept answer is older, see Age' }),
});
const source = z
  .string()
  .meta({ description: 'searxng, where there are several searxng-1, searxng-2, …, or embedded' });
const degraded = z.boolean().meta({ description: 'Whether the first choice did not answer' });

export const V1: Format = {
  isDeprecated: true,
  schema: z.object({
    results: z.array(Result),
    meta: z.object({
      query: z.string(),
      total: z.number().meta({ description: 'At least so many' }),
      page: z.number(),
      perPage: z.number(),
      engines: z.array(z.string()),
      source,
      degraded,
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
    _meta: Made,
  }),
  body: ({ value, source: from, degraded: isDegraded, attempts }, { q, page, per_page: perPage }) => ({
    results: resultsOf(value),
    meta: {
      query: q,
      total: value.total,
      page,
      perPage,
      engines: [...new Set(value.results.flatMap(({ engines }) => engines))],
      source: from,
      degraded: isDegraded,
      attempts: attempts.map(({ name, ...attempt }) => ({ source: name, ...attempt })),
      suggestions: value.suggestions,
    },
  }),
};

/** What `body` makes, and `timed()` says when. */
interface PageOfResults {
  data: z.infer<typeof Result>[];
  page: { number: number; size: number; total: number; last: number };
  suggestions: readonly string[];
  source: string;
  degraded: boolean;
}

export const V2: Format<PageOfResults> = {
  schema: z.object({
    data: z.array(Result),
    page: z.object({
      number: z.number(),
      size: z.number(),
      total: z.number().meta({ description: 'At least so many results' }),
      last: z.number().meta({ description: 'The number of the last page that is known of' }),
    }),
    suggestions: z.array(z.string()),
    source,
    degraded,
    _meta: Made,
  }),
  body: ({ value, source: from, degraded: isDegraded }, { page, per_page: size }) => ({
    data: resultsOf(value),
    page: { number: page, size, total: value.total, last: lastPage(value.total, size) },
    suggestions: value.suggestions,
    source: from,
    degraded: isDegraded,
  }),
};

/** Of so many results, the number of the last page that one may ask for; there is always one. */
export function lastPage(total: number, size: number): number {
  return Math.min(MAX_PAGE, Math.max(1, Math.ceil(total / size)));
}

function resultsOf({ results }: ResultWindow): z.infer<typeof Result>[] {
  return results.map(({ title, url, content, engine, score }) => ({ title, url, content, engine, score }));
}
