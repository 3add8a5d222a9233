import { within } from '@signalbox/context';
import { GatewayTimeoutError } from '@signalbox/errors';

/** Waits for one thing of several, and rejects with a 504 once that and all before it took too long. */
export type Patience = <Value>(work: Promise<Value>) => Promise<Value>;

/** How long one caller waits, for whatever he has to wait for. */
export function patienceOf(name: string, hardTimeoutMs: number | undefined): Patience {
  if (hardTimeoutMs === undefined) return (work) => work;
  const until = performance.now() + hardTimeoutMs;
  return (work) =>
    within(Math.max(0, until - performance.now()), work, () => {
      throw new GatewayTimeoutError(`${name} had no result within ${hardTimeoutMs} ms`, {
        code: 'cache_timeout',
      });
    });
}
