import { parsedUrl } from '@signalbox/options';

/** What an instance found, in a shape that can be relied on. */
export interface SearchResults {
  results: SearchResult[];
  /** What the engines claim to have, and at least what is here. */
  total: number;
  suggestions: string[];
  corrections: string[];
  answers: string[];
  unresponsiveEngines: { engine: string; error: string }[];
}

/** One result, bounded and checked. */
export interface SearchResult {
  title: string;
  /** http or https. */
  url: string;
  content: string;
  engine: string;
  engines: string[];
  score: number;
  category: string | undefined;
  /** As the instance wrote it: an ISO date from SearXNG, words from searx. */
  publishedDate: string | undefined;
}

const MAX_TITLE = 500;
const MAX_CONTENT = 2_000;
const MAX_URL = 4_096;
const MAX_NAME = 100;
const MAX_LIST = 50;

/**
 * Takes from an instance's answer what is as it should be, and leaves the rest: engines scrape the web,
 * so anything may stand there.
 *
 * @returns `undefined` when it is no search result at all
 */
export function readSearchResults(answer: unknown, maxResults: number): SearchResults | undefined {
  if (!isRecord(answer) || !Array.isArray(answer['results'])) return undefined;
  const results: SearchResult[] = [];
  for (const each of answer['results'] as unknown[]) {
    const result = readResult(each);
    if (result !== undefined) results.push(result);
    if (results.length >= maxResults) break;
  }
  const total = answer['number_of_results'];
  return {
    results,
    total: Math.max(
      results.length,
      typeof total === 'number' && Number.isFinite(total) ? Math.floor(total) : 0,
    ),
    suggestions: readTexts(answer['suggestions']),
    corrections: readTexts(answer['corrections']),
    // Newer instances answer with objects.
    answers: readTexts(
      listOf(answer['answers']).map((each) => (isRecord(each) ? each['answer'] : each)),
      MAX_CONTENT,
    ),
    unresponsiveEngines: listOf(answer['unresponsive_engines']).flatMap(readUnresponsive),
  };
}

function readResult(value: unknown): SearchResult | undefined {
  if (!isRecord(value)) return undefined;
  const url = readUrl(value['url']);
  if (url === undefined) return undefined;

  const { score, category, publishedDate } = value;
  const engine = readText(value['engine'], MAX_NAME);
  const engines = readTexts(value['engines']);
  return {
    title: readText(value['title'], MAX_TITLE) || url.hostname,
    url: url.href,
    content: readText(value['content'], MAX_CONTENT),
    engine: engine || (engines[0] ?? ''),
    engines: engines.length > 0 || engine === '' ? engines : [engine],
    score: typeof score === 'number' && Number.isFinite(score) ? score : 0,
    category: readText(category, MAX_NAME) || undefined,
    publishedDate: readText(publishedDate, MAX_NAME) || undefined,
  };
}

/** Anything else, `javascript:` above all, would become a link on a page. */
function readUrl(value: unknown): URL | undefined {
  if (typeof value !== 'string' || value.length > MAX_URL) return undefined;
  const url = parsedUrl(value);
  return url?.protocol === 'http:' || url?.protocol === 'https:' ? url : undefined;
}

function readUnresponsive(value: unknown): { engine: string; error: string }[] {
  const [engine, error] = Array.isArray(value) ? (value as unknown[]) : [value, undefined];
  const name = readText(engine, MAX_NAME);
  return name === '' ? [] : [{ engine: name, error: readText(error, MAX_TITLE) }];
}

function readTexts(value: unknown, maxLength: number = MAX_NAME): string[] {
  return listOf(value).flatMap((each) => readText(each, maxLength) || []);
}

/** One line without control characters, of at most `maxLength` UTF-16 units. */
function readText(value: unknown, maxLength: number): string {
  if (typeof value !== 'string') return '';
  // Cut first: what follows takes time by the length. The margin is for what is then trimmed.
  const text = value
    .slice(0, maxLength * 4)
    // oxlint-disable-next-line no-control-regex -- they are what is taken out
    .replace(/[\s\u0000-\u001f\u007f-\u009f]+/g, ' ')
    .trim();
  if (text.length <= maxLength) return text;
  const cut = text.slice(0, maxLength);
  // Half of a surrogate pair is no character.
  return /[\uD800-\uDBFF]$/.test(cut) ? cut.slice(0, -1) : cut;
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? (value as unknown[]).slice(0, MAX_LIST) : [];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
