import { count, inWords, writeRate, type Rate } from './rate.js';
import type { ZoneTally } from './tally.js';
import type { ResolvedZone } from './zone-options.js';

/** What a zone allows, and what this process has seen of it since the start. Names no caller. */
export interface ZoneReport {
  readonly zone: string;
  /** As it was written, such as `10/s burst 20`. */
  readonly rate: string;
  /** In words: `10 requests in 1 second, 21 at once`. */
  readonly policy: string;
  /** The plans' rates, where there are plans. */
  readonly plans: Readonly<Record<string, string>> | undefined;
  readonly count: 'all' | 'failures';
  readonly shadow: boolean;
  readonly onStoreDown: string;
  /** Requests a second over the last ten to twenty seconds. */
  readonly perSecond: number;
  readonly allowed: number;
  readonly refused: number;
  readonly shadowRefused: number;
  /** Of all these, how many this process decided alone because the store did not answer. */
  readonly local: number;
  /** How many callers have a tenth of their limit or less left; 1 000 stands for more, too. */
  readonly nearLimit: number;
}

export function zoneReport(zone: ResolvedZone, tally: ZoneTally): ZoneReport {
  const { name, rate, plans, countsFailures, shadow, onStoreDown } = zone;
  const { allowed, refused, shadowRefused, local } = tally;
  return {
    zone: name,
    rate: writeRate(rate),
    policy: policyInWords(rate),
    plans:
      plans.size === 0
        ? undefined
        : Object.fromEntries([...plans].map(([plan, its]) => [plan, writeRate(its)])),
    count: countsFailures ? 'failures' : 'all',
    shadow,
    onStoreDown,
    perSecond: tally.perSecond(),
    allowed,
    refused,
    shadowRefused,
    local,
    nearLimit: tally.nearLimit(),
  };
}

function policyInWords({ limit, windowMs, burst, sliding }: Rate): string {
  const requests = count(limit, 'request');
  if (burst !== undefined) return `${requests} in ${inWords(windowMs)}, ${burst + 1} at once`;
  const window = inWords(windowMs);
  return `${requests} in ${sliding === true ? `any ${window.replace(/^1 /, '')}` : window}`;
}
