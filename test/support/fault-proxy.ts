import { faultProxy, type FaultProxy as TestedProxy, type FaultProxyOptions } from '@signalbox/testing';
import { untilStopped } from './until-stopped.js';

export type { FaultProxyOptions, ProxyCounts } from '@signalbox/testing';

/** `faultProxy` of `@signalbox/testing`, which several tests may share. */
export interface FaultProxy extends TestedProxy {
  /** Ends everything, as `close()` does. */
  readonly stop: () => Promise<void>;
}

/**
 * Starts a proxy that stays until it is stopped, whichever test is running.
 *
 * @example
 * const redis = await startRedis();
 * const proxy = await startFaultProxy({ to: redis.port });
 * afterAll(() => proxy.stop());
 * await proxy.delay(1);
 */
export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const proxy = await faultProxy(options, untilStopped);
  return { ...proxy, stop: proxy.close };
}
