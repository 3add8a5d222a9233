import type { RunningContender } from './contenders.js';
import { searchResults } from './servers/search-results.js';

/** What people ask for while it is measured. */
const QUERIES =
  'coffee tea espresso grinder kettle filter milk cup beans roast scale brush tamper basket pitcher thermometer syrup sugar spoon tray'.split(
    ' ',
  );

export const SEARCH_PATHS: readonly string[] = QUERIES.map((query) => `/api/v1/search?q=${query}`);

const CONNECTED_WITHIN_MS = 5_000;

/**
 * Makes sure that a server does what it is measured for, for each query: all servers answer the same bytes, and the
 * second answer comes from the cache, if there is one.
 */
export async function requireSearchAnswers(server: RunningContender): Promise<void> {
  await untilAnswered(server.url);
  for (const query of QUERIES) {
    const url = `${server.url}/api/v1/search?q=${query}`;
    const wanted = JSON.stringify(searchResults(query));
    for (const isFirst of [true, false]) {
      const response = await fetch(url);
      const answer = await response.text();
      if (response.status !== 200 || answer !== wanted) {
        throw new Error(`${server.name}: ${url} answers ${response.status}, ${answer.slice(0, 200)}`);
      }
      const outcome = response.headers.get('x-cache');
      const isCached = !server.keepsNothing;
      if (outcome !== 'HIT' && isCached && !isFirst) {
        throw new Error(`${server.name}: the second answer of ${url} is no hit: ${outcome}`);
      }
    }
  }
}

/** A server that listens may not have its connection to Redis yet. */
async function untilAnswered(url: string): Promise<void> {
  const until = performance.now() + CONNECTED_WITHIN_MS;
  for (const path of SEARCH_PATHS) {
    for (;;) {
      const response = await fetch(url + path);
      await response.arrayBuffer();
      if (response.ok || performance.now() > until) break;
    }
  }
}
