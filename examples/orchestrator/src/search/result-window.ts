import type { SearchResult, SearchResults } from '@signalbox/gateway';

/** The results from `offset` on, `size` of them at most, and what is known of the whole. */
export interface ResultWindow {
  results: SearchResult[];
  /** At least so many; exactly so many where the source has come to its end. */
  total: number;
  suggestions: readonly string[];
  /** Whether nothing failed behind the source while it found nothing. */
  isComplete: boolean;
}

/** Sources number their pages, and make them as long as they like. */
export type ReadPage = (page: number) => Promise<SearchResults>;

/** Deeper than this costs more requests than anybody's patience is worth. */
const MAX_PAGES = 5;

/**
 * Reads a source's pages as one stream, as far as the window needs and one result beyond, to know whether
 * there is more. When a later page fails, what the earlier ones gave of the window will do, if that is anything.
 */
export async function readWindow(read: ReadPage, offset: number, size: number): Promise<ResultWindow> {
  const seen = new Map<string, SearchResult>();
  let suggestions: readonly string[] = [];
  let stated = 0;
  let isComplete = true;
  let hasEnded = false;

  for (let page = 1; page <= MAX_PAGES && seen.size <= offset + size; page += 1) {
    let response: SearchResults;
    try {
      response = await read(page);
    } catch (error) {
      if (seen.size <= offset) throw error;
      break;
    }
    const before = seen.size;
    // Engines repeat themselves from page to page.
    for (const result of response.results) if (!seen.has(result.url)) seen.set(result.url, result);
    if (page === 1) {
      suggestions = response.suggestions;
      stated = response.total;
      isComplete = response.results.length > 0 || response.unresponsiveEngines.length === 0;
    }
    // What comes after the deepest page, nobody can have either.
    hasEnded = seen.size === before || (page === MAX_PAGES && seen.size <= offset + size);
    if (hasEnded) break;
  }
  return {
    results: [...seen.values()].slice(offset, offset + size),
    total: hasEnded ? seen.size : Math.max(stated, seen.size),
    suggestions,
    isComplete,
  };
}
