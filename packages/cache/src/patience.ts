import { GatewayTimeoutError } from '@signalbox/errors';

/** Waits for one thing of several, and rejects with a 504 once that and all before it took too long. */
export type Patience = <Value>(work: Promise<Value>) => Promise<Value>;

/** How long one caller waits, for whatever he has to wait for. */
export function patienceOf(name: string, hardTimeoutMs: number | undefined): Patience {
  if (hardTimeoutMs === undefined) return (work) => work;
  const until = performance.now() + hardTimeoutMs;
  return (work) =>
    orAfter(work, Math.max(0, until - performance.now()), () => {
      throw new GatewayTimeoutError(`${name} had no result within ${hardTimeoutMs} ms`, {
        code: 'cache_timeout',
      });
    });
}

/** What comes first: what is worked at, or what there is instead after so long. */
export async function orAfter<Value>(
  work: Promise<Value>,
  ms: number,
  instead: () => Value | Promise<Value>,
): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  try {
    return await Promise.race([work, late.then(instead)]);
  } finally {
    clearTimeout(timer);
  }
}
