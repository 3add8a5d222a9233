import type { Logger } from '@signalbox/logging';

/** Work that nobody waits for, but for the end of the process. */
export interface Background {
  run(what: string, work: Promise<unknown>): void;
  /** Waits for what is under way. */
  close(): Promise<void>;
}

export function background(logger: Logger): Background {
  const underWay = new Set<Promise<void>>();
  return {
    run(what, work) {
      const done = work
        .then(() => undefined)
        .catch((error: unknown) => logger.warn({ err: error }, `${what} failed`))
        .finally(() => underWay.delete(done));
      underWay.add(done);
    },
    async close() {
      await Promise.all(underWay);
    },
  };
}
