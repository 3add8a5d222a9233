import type { Request } from 'express';
import type { Entry } from './entry.js';
import type { CacheKey } from './cache-key.js';
import { variantOf } from './request-key.js';
import type { Claim, CacheStore } from './store.js';

/** What became of the one call that many wait for. */
export type Landing =
  /** Here it is, for requests whose fields are the same. */
  | {
      readonly entry: Entry;
      readonly vary: readonly string[];
      readonly variant: string;
      /** Whether it is stale, and sent all the same: there was an error instead of a new one, or none in time. */
      readonly isStale: boolean;
      /** Whether it was forgotten while it was made: whoever asked after that has to have a newer one. */
      readonly isOutdated: boolean;
    }
  /** An answer that is for nobody else. */
  | 'not-kept'
  /** None: the next in line may try. */
  | 'failed';

/** One call that several wait for. */
export class Flight {
  /** What it holds among processes. */
  claim: Claim | undefined = undefined;
  /** Whether it took longer than those want to wait who may have a stale answer. */
  isSlow = false;
  readonly landed: Promise<Landing>;
  private isOver = false;
  private settle: (landing: Landing) => void = () => undefined;
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly flights: Map<string, Flight>,
    private readonly text: string,
    waitMs: number,
  ) {
    this.landed = new Promise((resolve) => {
      this.settle = resolve;
    });
    // A call that hangs may not keep all others waiting.
    this.timer = setTimeout(() => this.land('failed'), waitMs).unref();
  }

  /** Others may wait no more by the time it is got: then it is given back at once, since nothing else would end it. */
  hold(claim: Claim | undefined): void {
    this.claim = claim;
    if (this.isOver) claim?.release();
  }

  /** The first outcome holds. */
  land(landing: Landing): void {
    // Too late for those who waited for it, and not for those who wait for the next call by now.
    const isNew = typeof landing === 'object' && !landing.isStale && !landing.isOutdated;
    if (this.isOver && isNew) this.flights.get(this.text)?.land(landing);
    this.isOver = true;
    clearTimeout(this.timer);
    if (this.flights.get(this.text) === this) this.flights.delete(this.text);
    this.settle(landing);
    this.claim?.release();
  }
}

/** The calls that are under way in this process, by key. */
export class Flights {
  private readonly open: Map<string, Flight> = new Map();

  constructor(private readonly waitMs: number) {}

  get(key: CacheKey): Flight | undefined {
    return this.open.get(key.text);
  }

  start(key: CacheKey): Flight {
    const flight = new Flight(this.open, key.text, this.waitMs);
    this.open.set(key.text, flight);
    return flight;
  }

  close(): void {
    for (const flight of Array.from(this.open.values())) flight.land('failed');
  }
}

/** What others wait for, where it is also for this request: not what has to be asked for each time. */
export function fitting(req: Request, landing: Landing, now: number): Entry | undefined {
  if (typeof landing === 'string') return undefined;
  if (!landing.isStale && !landing.entry.isFresh(now)) return undefined;
  return variantOf(req, landing.vary) === landing.variant ? landing.entry : undefined;
}

/** Whether it is only the request's fields by which it does not fit. */
export function isOtherVariant(req: Request, landing: Landing): boolean {
  return typeof landing === 'object' && variantOf(req, landing.vary) !== landing.variant;
}

const making = new WeakMap<Request, Set<string>>();

/** Notes that a request is to bring what many may wait for. */
export function noteMaking(req: Request, { text }: CacheKey): void {
  const texts = making.get(req);
  if (texts === undefined) making.set(req, new Set([text]));
  else texts.add(text);
}

/** Whether a request has passed a cache that waits for the same already: here it would wait for itself. */
export function isMaking(req: Request, { text }: CacheKey): boolean {
  return making.get(req)?.has(text) === true;
}

const FIRST_LOOK_MS = 10;
const LAST_LOOK_MS = 100;

/**
 * Gets the right to make an entry among processes, or waits until the one that has it is done.
 *
 * @param look whether it is there by now
 * @returns what was found; without that, the right to make it
 */
export async function claimOrFind<Found>(
  store: CacheStore,
  key: CacheKey,
  waitMs: number,
  look: () => Promise<Found | undefined>,
): Promise<{ claim: Claim | undefined; found: Found | undefined }> {
  if (store.claim === undefined) return { claim: undefined, found: undefined };
  const until = performance.now() + waitMs;
  for (let pauseMs = FIRST_LOOK_MS; ; pauseMs = Math.min(LAST_LOOK_MS, pauseMs * 1.5)) {
    // Both in one write, in this order: who had the right gives it back once what he made is kept. So it is there for
    // whoever gets the right after him, also where it was not when the request came.
    const claiming = store.claim(key);
    const looking = look().catch(() => undefined);
    const [claim, found] = await Promise.all([claiming, looking]);
    if (found !== undefined) {
      claim.release();
      return { claim: undefined, found };
    }
    if (claim.isMine || performance.now() >= until) return { claim, found };
    await new Promise((resolve) => {
      setTimeout(resolve, pauseMs * (0.5 + Math.random()));
    });
  }
}
