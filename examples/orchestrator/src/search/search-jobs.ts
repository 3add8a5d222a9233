import type { Logger } from '@signalbox/logging';
import { jobs, type Jobs } from '@signalbox/realtime';
import type { RedisLink } from '@signalbox/redis';
import { V2 } from '../modules/search/answers.js';
import type { SearchChain } from './search-chain.js';

/** What a search needs that runs by itself. */
export interface SearchInput {
  q: string;
}

/** Searches that tell how far they are, on whichever process, and whose results can be fetched later. */
export type SearchJobs = Jobs<{ search: SearchInput }>;

export interface SearchJobParts {
  search: SearchChain;
  redis: RedisLink | undefined;
  logger: Logger;
}

const PER_PAGE = 10;
/** The sources have 10 seconds. */
const TIMEOUT_MS = 20_000;

export function searchJobs({ search, redis, logger }: SearchJobParts): SearchJobs {
  return jobs({
    redis,
    log: logger,
    kinds: {
      search: {
        timeoutMs: TIMEOUT_MS,
        async run({ q }: SearchInput, { progress, signal }) {
          const startedAt = performance.now();
          progress({ progress: 0, stage: 'preparing' });
          const found = await search(
            {
              q,
              offset: 0,
              size: PER_PAGE,
              category: undefined,
              language: undefined,
              asking: (source, done) => progress({ progress: done, stage: `asking ${source}` }),
            },
            { signal },
          );
          progress({ progress: 0.95, stage: 'sorting' });
          const { data, ...rest } = V2.body(found, { q, page: 1, per_page: PER_PAGE });
          const duration = Math.round(performance.now() - startedAt) / 1_000;
          const _meta = { duration, timestamp: new Date().toISOString() };
          return { query: q, results: data, ...rest, _meta };
        },
      },
    },
  });
}
