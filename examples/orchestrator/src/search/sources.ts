import type { Searxng } from '@signalbox/gateway';
import type { Logger } from '@signalbox/logging';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { embeddedEngine } from './embedded-engine.js';
import { searchChain, type SearchChain } from './search-chain.js';

export interface SourceParts {
  instances: Searxng | undefined;
  /** Whether the engine in this process is the last of the chain. */
  hasEmbedded: boolean;
  docsFolder: string;
  docsUrl: () => string;
  logger: Logger;
}

/** What is searched. Made when it is first asked for, once for all; made anew only after it failed. */
export function sources(parts: SourceParts): () => Promise<SearchChain> {
  let made: Promise<SearchChain> | undefined;
  return () => {
    made ??= make(parts).catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}

async function make(parts: SourceParts): Promise<SearchChain> {
  const { instances, hasEmbedded, docsFolder, docsUrl, logger } = parts;
  if (!hasEmbedded) return searchChain({ instances, embedded: undefined });
  // The packages that are installed where this one is.
  const from = fileURLToPath(new URL('../..', import.meta.url));
  const embedded = await embeddedEngine(
    { docsFolder, docsUrl, from },
    join(from, 'node_modules/.cache/signalbox/documents.json'),
  );
  logger.info({ documents: embedded.size }, 'the embedded engine is ready');
  return searchChain({ instances, embedded });
}
