import {
  fallback,
  type FallbackChain,
  type FallbackStep,
  type Searxng,
  type SearxngQuery,
} from '@signalbox/gateway';
import type { EmbeddedSearch } from './embedded-search.js';
import { readWindow, type ResultWindow } from './result-window.js';

/** What is looked for, and which part of it is wanted. */
export interface SearchRequest {
  q: string;
  offset: number;
  size: number;
  category: string | undefined;
  language: string | undefined;
  /** Told of each source that is asked, and which part of them was asked before. */
  asking?: ((source: string, done: number) => void) | undefined;
}

export type SearchChain = FallbackChain<SearchRequest, ResultWindow>;

/** Long enough for three slow instances, short enough for a person. */
const DEADLINE_MS = 10_000;
/**
 * An instance that has not answered by then may never do. To load the engine's index takes seconds on a busy machine, which
 * are not left once all instances were waited for.
 */
const WORRIED_AFTER_MS = 3_000;

/** The sources in order of preference: the instances, and the engine in this process last. */
export function searchChain(sources: {
  instances: Searxng | undefined;
  embedded: EmbeddedSearch | undefined;
  /** Where this project's own documents are served. */
  docsUrl: () => string;
}): SearchChain {
  const { instances, embedded, docsUrl } = sources;
  const steps = [
    ...(instances?.steps().map((instance) => windowStep(instance, embedded)) ?? []),
    ...(embedded === undefined ? [] : [embeddedStep(embedded, docsUrl)]),
  ];
  return fallback(
    steps.map((step, index) => telling(step, index / steps.length)),
    { name: 'search', deadlineMs: DEADLINE_MS },
  );
}

type Step = FallbackStep<SearchRequest, ResultWindow>;

function telling(step: Step, done: number): Step {
  return {
    ...step,
    run(request, context) {
      request.asking?.(step.name, done);
      return step.run(request, context);
    },
  };
}

type InstanceStep = ReturnType<Searxng['steps']>[number];

function windowStep(instance: InstanceStep, embedded: EmbeddedSearch | undefined): Step {
  return {
    name: instance.name,
    isEnough: ({ isComplete }) => isComplete,
    async run({ q, offset, size, category, language }, context) {
      // Results in hand are not given up for a later page that hangs.
      const halfTime = AbortSignal.any([
        context.signal,
        AbortSignal.timeout(Math.ceil(context.deadlineMs / 2)),
      ]);
      const read = async (page: number) => {
        const query: SearxngQuery = { q, page, categories: category?.split(','), language };
        const signal = page === 1 ? context.signal : halfTime;
        const answer = await instance.run(query, { ...context, signal });
        if (answer === undefined) throw new Error(`${instance.name} has no answer`);
        return answer;
      };
      const worried = setTimeout(() => embedded?.prepare(), WORRIED_AFTER_MS);
      try {
        return await readWindow(read, offset, size);
      } finally {
        clearTimeout(worried);
      }
    },
  };
}

function embeddedStep(engine: EmbeddedSearch, docsUrl: () => string): Step {
  return {
    name: 'embedded',
    run: ({ q, offset, size }, { signal }) => engine.search({ q, offset, size, docsUrl: docsUrl() }, signal),
  };
}
