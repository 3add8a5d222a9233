import { workerData } from 'piscina';
import { embeddedEngine, type EmbeddedQuery } from './embedded-engine.js';
import type { EmbeddedThreadData } from './embedded-search.js';
import type { ResultWindow } from './result-window.js';

// What runs in the thread of the embedded engine; whoever asks waits until its index is there.
const { sources, keptIn } = workerData as EmbeddedThreadData;
const engine = await embeddedEngine(sources, keptIn);

export function search(query: EmbeddedQuery): ResultWindow {
  return engine.search(query);
}

/** How many documents it knows. */
export function size(): number {
  return engine.size;
}
