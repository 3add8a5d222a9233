import { BadRequestError } from '@signalbox/errors';
import {
  refuseUnknownOptions,
  requireInteger,
  requireObject,
  requireOneOf,
  requireText,
} from '@signalbox/options';
import { fallback, type FallbackContext, type FallbackStep } from './fallback.js';
import { UpstreamInvalidResponseError, UpstreamResponseError } from './errors.js';
import type { HealthCheckOptions, Probe, UpstreamHealth } from './health.js';
import { resolveOptions, type HealthOptions, type UpstreamOptions } from './options.js';
import type { UpstreamRequestOptions } from './request.js';
import { jsonOf, requireSuccess, type UpstreamResponse } from './response.js';
import { readSearchResults, type SearchResults } from './search-results.js';
import { createUpstream, type UpstreamReport } from './upstream.js';

/** Options of {@link searxng}: those of an upstream, and these. */
export interface SearxngOptions extends Omit<UpstreamOptions, 'mode' | 'health'> {
  /**
   * Name in signals, errors and results.
   * @default 'searxng'
   */
  name?: string | undefined;
  /**
   * `POST` keeps the query out of the logs of whatever stands between here and the instance.
   * @default 'GET'
   */
  method?: 'GET' | 'POST' | undefined;
  /**
   * Most results that are taken of one answer.
   * @default 100
   */
  maxResults?: number | undefined;
  /** Checks in the background. Which paths to ask is known. */
  health?: Omit<HealthOptions, 'path'> | undefined;
}

/** What to search for. */
export interface SearxngQuery {
  q: string;
  /** From 1. */
  page?: number | undefined;
  /** Such as `general` or `images`. By default as the instance is set. */
  categories?: readonly string[] | undefined;
  /** Such as `de` or `de-CH`, or `all`. By default as the instance is set. */
  language?: string | undefined;
  timeRange?: 'day' | 'week' | 'month' | 'year' | undefined;
  /** 0 off, 1 moderate, 2 strict. By default as the instance is set. */
  safeSearch?: 0 | 1 | 2 | undefined;
}

/** Options of one search. */
export interface SearchOptions {
  /** By default the signal of the running request. */
  signal?: AbortSignal | undefined;
  deadlineMs?: number | undefined;
}

/** One or more SearXNG (or searx) instances. */
export interface Searxng {
  /**
   * Searches the first instance that answers, in order of preference.
   *
   * @throws {FallbackFailedError} when none does
   */
  search(query: SearxngQuery & SearchOptions): Promise<SearchResults>;
  /** One step for each instance, in order of preference, for a chain of one's own. */
  steps(): FallbackStep<SearxngQuery, SearchResults>[];
  /**
   * Asks each instance whether it is up, and whether it answers in JSON.
   *
   * @throws {UpstreamUnavailableError} when none is well
   */
  readonly check: (options?: HealthCheckOptions) => Promise<UpstreamHealth>;
  readonly state: () => UpstreamReport;
  readonly close: () => Promise<void>;
}

/**
 * A client of SearXNG.
 *
 * @throws {TypeError} when an option is out of range, at construction
 *
 * @example
 * const engine = searxng({ urls: ['http://127.0.0.1:8080', 'https://searx.example.org'], timeoutMs: 3_000 });
 * const { results, total } = await engine.search({ q: 'express middleware' });
 */
export function searxng(options: SearxngOptions): Searxng {
  requireObject('searxng', 'options', options);
  const { name = 'searxng', method = 'GET', maxResults = 100, ...upstreamOptions } = options;
  requireText('searxng', 'name', name);
  requireOneOf('searxng', 'method', method, ['GET', 'POST']);
  requireInteger('searxng', 'maxResults', maxResults, 1);
  refuseUnknownOptions('searxng: "health"', options.health ?? {}, ['everyMs', 'timeoutMs', 'failures']);
  // Once more on the same instance: then the next one is the better bet.
  const settings = resolveOptions(name, { retries: 1, ...upstreamOptions }, 'searxng');
  const upstream = createUpstream(settings, askInstance(name));

  async function ask(server: number, query: SearxngQuery, context: FallbackContext): Promise<SearchResults> {
    const request = searchRequest(method, query);
    // While one rests, the next one is asked.
    const isLast = server === settings.addresses.length - 1;
    return upstream.call(
      { ...request, ...context, server },
      (response) => readAnswer(response, query, maxResults),
      isLast,
    );
  }

  function steps(): FallbackStep<SearxngQuery, SearchResults>[] {
    return settings.addresses.map((_address, index) => ({
      // Numbered: a source is shown to users, whom the addresses of servers do not concern.
      name: settings.addresses.length === 1 ? name : `${name}-${index + 1}`,
      run: (query, context) => ask(index, query, context),
      isEnough: hasAnswer,
    }));
  }

  const chain = fallback(steps(), { name, deadlineMs: settings.deadlineMs * settings.addresses.length });

  return {
    async search({ signal, deadlineMs, ...query }) {
      const { value } = await chain(query, { signal, deadlineMs });
      return value;
    },
    steps,
    check: (each) => upstream.check(each),
    state: () => upstream.state(),
    close: () => upstream.close(),
  };
}

/** Nothing found while engines failed is not the same as nothing found: another instance may do better. */
function hasAnswer({ results, answers, unresponsiveEngines }: SearchResults): boolean {
  return results.length > 0 || answers.length > 0 || unresponsiveEngines.length === 0;
}

function searchRequest(method: 'GET' | 'POST', query: SearxngQuery): UpstreamRequestOptions {
  const fields = new URLSearchParams({ q: query.q, format: 'json' });
  if (query.page !== undefined) fields.set('pageno', String(query.page));
  if (query.categories !== undefined) fields.set('categories', query.categories.join(','));
  if (query.language !== undefined) fields.set('language', query.language);
  if (query.timeRange !== undefined) fields.set('time_range', query.timeRange);
  if (query.safeSearch !== undefined) fields.set('safesearch', String(query.safeSearch));

  const request = { method, path: '/search', route: 'search', idempotent: true };
  const headers = { accept: 'application/json' };
  if (method === 'GET') return { ...request, headers, query: fields };
  const type = { 'content-type': 'application/x-www-form-urlencoded' };
  return { ...request, headers: { ...headers, ...type }, body: fields.toString() };
}

function readAnswer(response: UpstreamResponse, query: SearxngQuery, maxResults: number): SearchResults {
  const { status, upstream, server } = response;
  if (status === 403) throw refusesJson(upstream, server);
  if (status >= 300 && status < 400 && EXTERNAL_BANG.test(query.q)) {
    throw new BadRequestError('A search with "!!" leads to another site, and cannot be answered here', {
      code: 'external_bang',
    });
  }
  if (status === 400 && isParameterError(response)) {
    throw new BadRequestError('The search engine does not know this page, language, category or time range', {
      code: 'invalid_search',
    });
  }
  requireSuccess(response);
  const results = readSearchResults(jsonOf(response), maxResults);
  if (results !== undefined) return results;
  throw new UpstreamInvalidResponseError(
    `upstream "${upstream}": ${server} answered JSON that is no search result`,
    {
      upstream,
      server,
    },
  );
}

/** "!!w word" asks an instance to send the browser to that site. */
const EXTERNAL_BANG = /(?:^|\s)!!\S/;

/** The instance itself says so in JSON. A 400 of another kind comes from something in front of it. */
function isParameterError({ headers, body }: UpstreamResponse): boolean {
  return String(headers['content-type']).startsWith('application/json') && body.includes('"error"');
}

function refusesJson(upstream: string, server: string): UpstreamResponseError {
  const message = `upstream "${upstream}": ${server} answered 403: the instance refuses format=json: add json to search.formats in its settings.yml (or its limiter blocks this address)`;
  return new UpstreamResponseError(403, message, { upstream, server });
}

/** Alive by `/healthz`, which is younger than searx 1.0; then whether it answers in JSON. */
function askInstance(upstream: string): Probe {
  return async (get, server) => {
    let status = await get('/healthz');
    if (status === 404) status = await get('/');
    if (status >= 400) {
      const message = `upstream "${upstream}": ${server} answered ${status} to its health check`;
      throw new UpstreamResponseError(status, message, { upstream, server });
    }
    // Without a query it searches nothing: 403 where JSON is off, else 400 "No query".
    if ((await get('/search?q=&format=json')) === 403) throw refusesJson(upstream, server);
  };
}
