import { signals } from '@signalbox/signals';
import type { Standing } from './algorithm.js';
import type { Ask } from './store.js';
import type { Verdict } from './decision.js';

/** What one zone of this process has seen. */
export interface ZoneCounts {
  allowed: number;
  refused: number;
  /** Over a limit in shadow mode. */
  shadowRefused: number;
  /** Of all these, how many this process decided alone because the store did not answer. */
  local: number;
}

/** How many callers near a limit are kept track of. */
const MAX_NEAR = 1_000;

/** What a zone is doing, counted as it goes. */
export class ZoneTally implements ZoneCounts {
  allowed = 0;
  refused = 0;
  shadowRefused = 0;
  local = 0;
  /** Until when callers, by hash, have a tenth of a limit or less left. */
  private readonly near: Map<string, number> = new Map();
  /** Requests of this slice of ten seconds, and of the one before. */
  private current = 0;
  private previous = 0;
  private slice = 0;

  add({ limit, who }: Ask, { remaining, retryMs, resetMs }: Standing, isLocal: boolean): void {
    const isOver = retryMs > 0;
    if (!isOver) this.allowed += 1;
    else if (limit.shadow) this.shadowRefused += 1;
    else this.refused += 1;
    if (isLocal) this.local += 1;
    if (remaining * 10 <= limit.capacity) this.noteNear(who, resetMs);

    const now = performance.now();
    if (now >= this.slice + SLICE_MS) this.turn(now);
    this.current += 1;

    if (signals.rateLimitDecision.hasSubscribers) {
      const outcome = !isOver ? 'allowed' : limit.shadow ? 'shadow_refused' : 'refused';
      signals.rateLimitDecision.publish({ zone: limit.name, outcome, local: isLocal });
    }
  }

  /** How many callers have a tenth of a limit or less left, at most {@link MAX_NEAR}. */
  nearLimit(): number {
    const now = performance.now();
    for (const [who, until] of this.near) if (until <= now) this.near.delete(who);
    return this.near.size;
  }

  /** Requests a second, over the last ten to twenty. */
  perSecond(): number {
    const now = performance.now();
    if (now >= this.slice + SLICE_MS) this.turn(now);
    const seconds = (SLICE_MS + now - this.slice) / 1000;
    return Math.round(((this.previous + this.current) / seconds) * 10) / 10;
  }

  private noteNear(who: string, resetMs: number): void {
    if (this.near.size >= MAX_NEAR && !this.near.has(who)) return;
    this.near.set(who, performance.now() + resetMs);
  }

  private turn(now: number): void {
    this.previous = now < this.slice + 2 * SLICE_MS ? this.current : 0;
    this.current = 0;
    this.slice = now - (now % SLICE_MS);
    if (this.near.size >= MAX_NEAR) this.nearLimit();
  }
}

const SLICE_MS = 10_000;

/** What the log line says of the request's limits. */
export function factOf({ source, refused, asks, standings }: Verdict): string {
  if (source === 'open') return 'open';
  const isOverInShadow = refused === -1 && asks.some((_ask, index) => (standings[index]?.retryMs ?? 0) > 0);
  const outcome = refused !== -1 ? 'refused' : isOverInShadow ? 'shadow' : 'allowed';
  return source === 'local' ? `local_${outcome}` : outcome;
}
