/** The search behind the cache, in memory. */
import { cachedRoute } from '@signalbox/cache';
import { search, serveSearch } from './search-stack.js';

await serveSearch(cachedRoute(3_600_000), search);
