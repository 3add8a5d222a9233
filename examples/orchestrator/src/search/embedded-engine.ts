import type { SearchResults } from '@signalbox/gateway';
import type MiniSearch from 'minisearch';
import { documentIndex } from './document-index.js';
import type { Document, DocumentSources } from './documents.js';
import { passage } from './passage.js';

/** A search engine in this process, answering in SearXNG's shape. */
export interface EmbeddedEngine {
  /** How many documents it knows. */
  readonly size: number;
  search(query: string): SearchResults;
}

const MAX_RESULTS = 200;
const ENOUGH = 10;
const MAX_SUGGESTIONS = 5;

/** The documents that are on this machine anyway: Markdown files of this project, READMEs of installed packages. */
export async function embeddedEngine(sources: DocumentSources, keptIn: string): Promise<EmbeddedEngine> {
  const index = await documentIndex(sources, keptIn);

  return {
    size: index.documentCount,
    search(query) {
      // Documents with every word first; where those are few, the ones with any of them.
      const strict = index.search(query, { combineWith: 'AND' });
      const known = new Set(strict.map(({ id }) => id));
      const weakest = strict.at(-1)?.score ?? Infinity;
      const loose = strict.length >= ENOUGH ? [] : index.search(query).filter(({ id }) => !known.has(id));
      const found = [
        ...strict,
        ...loose.map((hit) => Object.assign(hit, { score: Math.min(hit.score, weakest) })),
      ];
      const results = found.slice(0, MAX_RESULTS).map((hit) => ({
        title: String(hit.title),
        url: String(hit.url).replace(/^\//, () => `${sources.docsUrl()}/`),
        content: passage(String(hit.summary), String(hit.text), hit.queryTerms),
        engine: 'embedded',
        engines: ['embedded'],
        score: Math.round(hit.score * 100) / 100,
        category: 'general',
        publishedDate: undefined,
      }));
      // Other words are worth a thought only where these find nothing together.
      const suggestions = strict.length > 0 ? [] : suggest(index, query);
      return {
        results,
        total: results.length,
        suggestions,
        corrections: [],
        answers: [],
        unresponsiveEngines: [],
      };
    },
  };
}

function suggest(index: MiniSearch<Document>, query: string): string[] {
  return index
    .autoSuggest(query, { combineWith: 'AND', fuzzy: 0.3 })
    .map(({ suggestion }) => suggestion)
    .filter((suggestion) => suggestion !== query.toLowerCase())
    .slice(0, MAX_SUGGESTIONS);
}
