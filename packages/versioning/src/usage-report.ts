import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { onceOver, outsideRequests, routeTemplate } from '@signalbox/context';
import { watchOutage } from '@signalbox/redis';
import { signals } from '@signalbox/signals';
import type { RequestHandler, Response } from 'express';
import { isDeprecatedCall } from './deprecated.js';
import { resolveUsage, type UsageReportOptions } from './usage-options.js';
import { UNMATCHED, type UsageBatch, type UsageCount } from './usage-store.js';
import { UsageSums } from './usage-sums.js';

/** One consumer's calls of one route of one version. */
export interface UsageRow {
  readonly version: string;
  /** `anonymous` where nobody is known, `__overflow__` for those beyond the bound. */
  readonly consumer: string;
  /** A route's template, or `unmatched`. */
  readonly route: string;
  readonly calls: number;
  /** ISO 8601. */
  readonly firstSeen: string;
  readonly lastSeen: string;
}

/** Who calls what. */
export interface UsageSummary {
  /** Most calls first. */
  readonly rows: readonly UsageRow[];
  /** False while the store does not answer: the rows are then what this process has not yet written. */
  readonly complete: boolean;
}

/** What {@link usageReport} returns. */
export interface UsageReport {
  /**
   * Counts every call of a version that passes through it, deprecated or not, once its response is over. Without it
   * deprecated ones alone are counted.
   */
  readonly everyCall: RequestHandler;
  /** Who calls what, as far as it is known: the rows of all processes that share the store. Never rejects. */
  readonly report: (filter?: { version?: string | undefined }) => Promise<UsageSummary>;
  /** Writes what has been counted. Resolves to whether it is written; never rejects. */
  readonly flush: () => Promise<boolean>;
  /** Stops counting and writes what has been counted. */
  readonly close: () => Promise<void>;
}

/**
 * Keeps count of who still calls what: by version, consumer and route. Deprecated calls come by `signals.deprecatedCall`,
 * so that nothing else has to be wired.
 *
 * Counts are written in batches, off the request's path. While the store does not answer they are kept and written
 * later, none of them twice; beyond a bound the consumers are no longer told apart, and no call is lost.
 *
 * @throws {TypeError} when an option is wrong
 *
 * @example
 * const usage = usageReport({ store: redisUsageStore(redis) });
 * app.get('/admin/deprecations', async (_req, res) => res.json(await usage.report()));
 */
export function usageReport(options: UsageReportOptions = {}): UsageReport {
  const { store, consumerOf, flushMs, maxPending, now } = resolveUsage(options);
  const outage = watchOutage({
    feature: 'version-usage',
    begins: 'Counts are kept in this process',
    ends: 'Counts are written again',
  });
  let pending = new UsageSums(maxPending);
  /** What was handed to the store, which has not said that it has it. */
  let unconfirmed: UsageBatch | undefined;
  let flushing: Promise<boolean> | undefined;
  /** Comes after the one under way. */
  let following: Promise<boolean> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;

  function count(version: string, consumer: string, route: string | undefined): void {
    if (isClosed) return;
    const at = now();
    pending.add({ version, consumer, route: route ?? UNMATCHED, calls: 1, firstSeenMs: at, lastSeenMs: at });
    flushLater();
  }

  function flushLater(): void {
    if (isClosed) return;
    timer ??= setTimeout(() => {
      timer = undefined;
      void flush();
    }, flushMs).unref();
  }

  function flush(): Promise<boolean> {
    if (flushing === undefined) {
      // The deadline of the request that happened to be counted is nothing to the counts of others.
      flushing = outsideRequests(write).finally(() => {
        flushing = undefined;
      });
      return flushing;
    }
    // The one under way took along what there was when it began.
    following ??= flushing.then(() => {
      following = undefined;
      return flush();
    });
    return following;
  }

  /** Writes what there is now. What is counted meanwhile is for the next time: under load that would never end. */
  async function write(): Promise<boolean> {
    if (unconfirmed !== undefined && !(await confirm(unconfirmed))) return false;
    if (pending.size === 0) return true;
    unconfirmed = { id: randomUUID(), counts: pending.list() };
    pending = new UsageSums(maxPending);
    return confirm(unconfirmed);
  }

  async function confirm(batch: UsageBatch): Promise<boolean> {
    try {
      await store.add(batch);
    } catch (error) {
      outage.failed(error, 'local');
      flushLater();
      return false;
    }
    unconfirmed = undefined;
    outage.works();
    return true;
  }

  /** What the store does not have, or may not have. */
  function unwritten(): readonly UsageCount[] {
    return [...(unconfirmed?.counts ?? []), ...pending.list()];
  }

  function countOver(this: ServerResponse): void {
    const { req } = this as Response;
    // Deprecated calls come by the signal.
    if (req.apiVersion === undefined || isDeprecatedCall(this)) return;
    count(req.apiVersion, consumerOf(req), routeTemplate(req));
  }

  const unsubscribe = signals.deprecatedCall.subscribe(({ version, consumer, route }) =>
    count(version, consumer, route),
  );

  return {
    everyCall(req, res, next) {
      if (!isClosed) onceOver(req, res, countOver);
      next();
    },

    async report(filter = {}) {
      const isWritten = await flush();
      const sums = new UsageSums(Infinity);
      let isRead = true;
      try {
        await sums.addAll(await store.read());
      } catch {
        isRead = false;
      }
      for (const each of isWritten ? [] : unwritten()) sums.add(each);
      const rows = sums.list().filter(({ version }) => version === (filter.version ?? version));
      return { rows: rows.toSorted(byCalls).map(rowOf), complete: isWritten && isRead };
    },

    flush,

    async close() {
      unsubscribe();
      isClosed = true;
      clearTimeout(timer);
      timer = undefined;
      await flush();
    },
  };
}

function byCalls(one: UsageCount, other: UsageCount): number {
  return other.calls - one.calls || other.lastSeenMs - one.lastSeenMs;
}

function rowOf({ version, consumer, route, calls, firstSeenMs, lastSeenMs }: UsageCount): UsageRow {
  return {
    version,
    consumer,
    route,
    calls,
    firstSeen: new Date(firstSeenMs).toISOString(),
    lastSeen: new Date(lastSeenMs).toISOString(),
  };
}
