import type { Request } from 'express';
import { keySourceOf, type KeySource } from './keys.js';
import { limitOf, type Limit } from './limit.js';
import type { Ask } from './store.js';
import type { Cost, ResolvedZone } from './zone-options.js';

/** A zone as it is asked in one place: who is counted, against what, and how much. */
export interface Zone {
  readonly name: string;
  readonly keys: readonly KeySource[];
  /** All of its limits: its own first, then those of its plans. */
  readonly limits: readonly Limit[];
  readonly countsFailures: boolean;
  limitFor(plan: string | undefined): Limit;
  /** Adds what the zone asks about a request. */
  addAsks(asks: Ask[], req: Request, hashOf: (name: string) => string): void;
}

export function zoneOf(resolved: ResolvedZone): Zone {
  const { name, rate, plan, cost, shadow, countsFailures } = resolved;
  const own = limitOf(name, rate, shadow);
  const plans = new Map([...resolved.plans].map(([each, its]) => [each, limitOf(name, its, shadow)]));
  const keys = resolved.keys.map(keySourceOf);
  const limitFor = (which: string | undefined): Limit =>
    (which === undefined ? undefined : plans.get(which)) ?? own;

  return {
    name,
    keys,
    limits: [own, ...plans.values()],
    countsFailures,
    limitFor,

    addAsks(asks, req, hashOf) {
      const limit = plan === undefined ? own : limitFor(plan(req));
      const charge = typeof cost === 'number' ? Math.min(cost, limit.capacity) : costOf(cost, req, limit);
      if (charge === 0) return;
      for (const { read } of keys) {
        const who = read(req);
        if (who !== undefined) asks.push({ limit, who: hashOf(who), cost: charge });
      }
    },
  };
}

function costOf(cost: Exclude<Cost, number>, req: Request, limit: Limit): number {
  return chargeable(cost(req), limit);
}

/** What the store is asked to charge: a number that it can count with, whatever a function made of a request. */
export function chargeable(cost: number, { capacity }: Limit): number {
  if (typeof cost !== 'number' || !(cost >= 0)) return 1;
  return Math.min(Math.ceil(cost), capacity);
}

/**
 * One zone used twice in one place, or one with several keys, may count one caller twice, which a store would take for two
 * requests, or for two that see the same count. Keys agree where one of them stands in for the other: who has no key is
 * known by the address. The dearer one stays.
 */
export function withoutRepetitions(asks: readonly Ask[]): Ask[] {
  const kept = new Map<string, Ask>();
  for (const ask of asks) {
    const id = `${ask.limit.bucket}:${ask.who}`;
    const other = kept.get(id);
    if (other === undefined || other.cost < ask.cost) kept.set(id, ask);
  }
  return [...kept.values()];
}
