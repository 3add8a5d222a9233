import { describe, expect, it } from 'vitest';
import { visit } from './load.js';
import { becomesTrue, startCluster } from './support.js';

describe('two workers', { timeout: 120_000 }, () => {
  it.each([1_000, 10_000])('hold %i connections, and answer meanwhile', async (count) => {
    const cluster = await startCluster({ workers: 2 });
    const visitors = await visit(cluster.url, { ratePerSecond: 100, sockets: count });
    await becomesTrue(() => visitors.openSockets === count, 'all are open', 60_000);
    const answered = visitors.answered;
    await becomesTrue(() => visitors.answered > answered + 500, 'others are answered', 30_000);

    expect(visitors.openSockets).toBe(count);
    expect(visitors.failures()).toEqual({});
    expect(visitors.socketEnds).toEqual({});
    expect(await cluster.status()).toMatchObject({ workersReady: 2, failures: 0 });
    await visitors.stop();
  });
});
