import { spawn } from 'node:child_process';
import { describe, expect, it, onTestFinished } from 'vitest';
import { visit } from './load.js';
import { becomesTrue, readyPids, startCluster } from './support.js';

const RATE = 500;
const SOCKETS = 500;

/** Processes that take all that two processors have. */
function hogProcessors(): void {
  const hogs = [1, 2, 3].map(() => spawn(process.execPath, ['-e', 'for (;;);']));
  onTestFinished(() => {
    for (const hog of hogs) hog.kill('SIGKILL');
  });
}

describe('under constant load', { timeout: 600_000 }, () => {
  it.each([
    ['on an idle machine', () => undefined],
    ['with both processors taken by others', hogProcessors],
  ])('twenty reloads fail no request and reset no connection, %s', async (_name, prepare) => {
    const cluster = await startCluster({ workers: 2 });
    const visitors = await visit(cluster.url, { ratePerSecond: RATE, sockets: SOCKETS });
    await becomesTrue(() => visitors.openSockets === SOCKETS, 'the sockets are open');
    prepare();

    const drainedMs: number[] = [];
    for (let count = 0; count < 20; count += 1) {
      expect(await cluster.reload()).toMatchObject({ outcome: 'done' });
      const { lastReload } = await cluster.status();
      drainedMs.push((lastReload?.durationMs ?? 0) - (lastReload?.readyMs ?? 0));
      await becomesTrue(() => visitors.openSockets === SOCKETS, 'every socket is back', 5_000);
    }
    await visitors.stop();
    expect(visitors.failures()).toEqual({});
    // In order, each once at least: one may come to the other old worker, just before that drains.
    expect(Object.keys(visitors.socketEnds)).toEqual(['closed']);
    expect(visitors.socketEnds['closed']).toBeGreaterThanOrEqual(20 * SOCKETS);
    expect(Math.max(...drainedMs)).toBeLessThan(5_000);
    expect(visitors.answered).toBeGreaterThan(20 * RATE);
  });

  it('a kill costs no more than what the worker had under way', async () => {
    const cluster = await startCluster({ workers: 2 });
    const visitors = await visit(cluster.url, { ratePerSecond: RATE, sockets: 0 });
    for (let count = 1; count <= 5; count += 1) {
      await becomesTrue(() => visitors.answered > count * 2 * RATE, 'requests are answered');
      const [victim = 0] = readyPids(await cluster.status());
      process.kill(victim, 'SIGKILL');
      await becomesTrue(
        async () => {
          const now = readyPids(await cluster.status());
          return now.length === 2 && !now.includes(victim);
        },
        'it is replaced within 3 s',
        3_000,
      );
    }
    await visitors.stop();
    // At 500 a second and some ten milliseconds each, half of them its own.
    const failed = Object.values(visitors.failures()).reduce((sum, count) => sum + count, 0);
    expect(failed, JSON.stringify(visitors.failures())).toBeLessThan(5 * 30);
    expect(Object.keys(visitors.failures()).filter((reason) => /REFUSED|timeout/.test(reason))).toEqual([]);
  });

  it('replacing workers every 200 requests fails none, and as many serve all the time', async () => {
    const cluster = await startCluster({ workers: 2, args: ['--max-requests', '200'] });
    const visitors = await visit(cluster.url, { ratePerSecond: RATE, sockets: 0 });
    const pids = new Set<number>();
    let fewest = Number.POSITIVE_INFINITY;
    await becomesTrue(
      async () => {
        const status = await cluster.status();
        for (const pid of readyPids(status)) pids.add(pid);
        fewest = Math.min(fewest, status.workersReady);
        return visitors.answered > 30 * RATE;
      },
      'half a minute has passed',
      120_000,
    );
    await visitors.stop();
    expect(visitors.failures()).toEqual({});
    expect(fewest).toBeGreaterThanOrEqual(1);
    expect(pids.size).toBeGreaterThan(10);
  });
});
