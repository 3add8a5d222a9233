import { ServiceUnavailableError } from '@signalbox/errors';
import type { Logger } from '@signalbox/logging';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Piscina } from 'piscina';
import type { DocumentSources } from './documents.js';
import type { EmbeddedQuery } from './embedded-engine.js';
import type { ResultWindow } from './result-window.js';

/**
 * The embedded engine in a thread of its own: to load its index takes a second of a processor, and a search of several
 * words a tenth of one, during which nobody else would be answered.
 */
export interface EmbeddedSearch {
  /** Loads the index in a while, unless somebody searches before. */
  warmUp(): void;
  /** Loads the index now, unless that was begun. */
  prepare(): void;
  /**
   * @param signal takes it out of the queue; one that has begun is finished
   * @throws {ServiceUnavailableError} `overloaded`, when too many wait already
   */
  search(query: EmbeddedQuery, signal: AbortSignal): Promise<ResultWindow>;
  close(): Promise<void>;
}

/** What the thread is given. */
export interface EmbeddedThreadData {
  sources: DocumentSources;
  /** The file that keeps the index for the next start. */
  keptIn: string;
}

/** More than are done before the last of them has lost its patience. */
const MAX_WAITING = 200;
/** The first requests of a process are slow enough by themselves. */
const WARM_UP_AFTER_MS = 2_000;

export function embeddedSearch(docsFolder: string, logger: Logger): EmbeddedSearch {
  // The packages that are installed where this one is.
  const from = fileURLToPath(new URL('../..', import.meta.url));
  const data: EmbeddedThreadData = {
    sources: { docsFolder, from },
    keptIn: join(from, 'node_modules/.cache/signalbox/documents.json'),
  };
  let thread: Promise<Piscina> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  let isClosed = false;

  function started(): Promise<Piscina> {
    clearTimeout(timer);
    if (isClosed) throw overloaded('This process ends');
    thread ??= start(data, logger);
    return thread;
  }

  function prepare(): void {
    if (thread !== undefined || isClosed) return;
    load().catch((error: unknown) => {
      if (!isClosed) logger.warn({ err: error }, 'the embedded engine is not ready');
    });
  }

  async function load(): Promise<void> {
    const pool = await started();
    const documents: unknown = await pool.run(undefined, { name: 'size' });
    logger.info({ documents }, 'the embedded engine is ready');
  }

  async function inTurn(
    before: Promise<unknown>,
    query: EmbeddedQuery,
    signal: AbortSignal,
  ): Promise<ResultWindow> {
    await before.catch(() => undefined);
    waiting -= 1;
    signal.throwIfAborted();
    const pool = await started();
    return pool.run(query, { name: 'search' }) as Promise<ResultWindow>;
  }

  return {
    warmUp() {
      timer = setTimeout(prepare, WARM_UP_AFTER_MS).unref();
    },
    prepare,
    search(query, signal) {
      if (waiting >= MAX_WAITING) throw overloaded('Too many searches wait for the embedded engine');
      waiting += 1;
      const found = inTurn(last, query, signal);
      last = found;
      return found;
    },
    async close() {
      isClosed = true;
      clearTimeout(timer);
      await (await thread)?.destroy();
    },
  };
}

function overloaded(message: string): ServiceUnavailableError {
  return new ServiceUnavailableError(message, { code: 'overloaded', retryAfterSeconds: 1 });
}

/** Loaded only where it is used: behind instances that answer it never is. */
async function start(workerData: EmbeddedThreadData, logger: Logger): Promise<Piscina> {
  const { Piscina: Pool } = await import('piscina');
  const pool = new Pool({
    filename: fileURLToPath(new URL('embedded-thread.js', import.meta.url)),
    workerData,
    maxThreads: 1,
    minThreads: 0,
    idleTimeout: Infinity,
  });
  // The next search begins another one.
  pool.on('error', (error: unknown) =>
    logger.warn({ err: error }, 'the thread of the embedded engine has ended'),
  );
  return pool;
}
