import type MiniSearch from 'minisearch';
import { documentIndex } from './document-index.js';
import type { Document, DocumentSources } from './documents.js';
import { passage } from './passage.js';
import type { ResultWindow } from './result-window.js';

/** What is looked for, and which part of it is wanted. */
export interface EmbeddedQuery {
  q: string;
  offset: number;
  size: number;
  /** What the URLs of this project's own documents begin with. */
  docsUrl: string;
}

/** A search engine in this process, answering in SearXNG's shape. */
export interface EmbeddedEngine {
  /** How many documents it knows. */
  readonly size: number;
  search(query: EmbeddedQuery): ResultWindow;
}

const MAX_RESULTS = 200;
const ENOUGH = 10;
const MAX_SUGGESTIONS = 5;

/** The documents that are on this machine anyway: Markdown files of this project, READMEs of installed packages. */
export async function embeddedEngine(sources: DocumentSources, keptIn: string): Promise<EmbeddedEngine> {
  const index = await documentIndex(sources, keptIn);

  return {
    size: index.documentCount,
    search({ q, offset, size, docsUrl }) {
      // Documents with every word first; where those are few, the ones with any of them.
      const strict = index.search(q, { combineWith: 'AND' });
      const known = new Set(strict.map(({ id }) => id));
      const weakest = strict.at(-1)?.score ?? Infinity;
      const loose = strict.length >= ENOUGH ? [] : index.search(q).filter(({ id }) => !known.has(id));
      const found = [
        ...strict,
        ...loose.map((hit) => Object.assign(hit, { score: Math.min(hit.score, weakest) })),
      ].slice(0, MAX_RESULTS);
      const results = found.slice(offset, offset + size).map((hit) => ({
        title: String(hit.title),
        url: String(hit.url).replace(/^\//, () => `${docsUrl}/`),
        content: passage(String(hit.summary), String(hit.text), hit.queryTerms),
        engine: 'embedded',
        engines: ['embedded'],
        score: Math.round(hit.score * 100) / 100,
        category: 'general',
        publishedDate: undefined,
      }));
      // Other words are worth a thought only where these find nothing together.
      const suggestions = strict.length > 0 ? [] : suggest(index, q);
      return { results, total: found.length, suggestions, isComplete: true };
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
