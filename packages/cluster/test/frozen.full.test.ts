import { describe, expect, it } from 'vitest';
import { becomesTrue, readyPids, startCluster } from './support.js';

describe('workers', { timeout: 90_000 }, () => {
  it('are replaced when they are stopped as a whole', async () => {
    const cluster = await startCluster({ workers: 1, args: ['--stuck-after', '2s'] });
    const [frozen = 0] = readyPids(await cluster.status());
    process.kill(frozen, 'SIGSTOP');
    const line = await cluster.said(/the event loop of worker 1 is blocked/);
    expect(line.msg).toContain('in native code or stopped as a whole');
    await becomesTrue(async () => !readyPids(await cluster.status()).includes(frozen), 'it is replaced');
  });

  it('are not blamed for the time in which the manager itself was stopped', async () => {
    const cluster = await startCluster({ workers: 1, args: ['--stuck-after', '2s'] });
    const before = readyPids(await cluster.status());
    cluster.program.signal('SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, 12_000));
    cluster.program.signal('SIGCONT');
    // Long enough for it to look again, several times.
    const line = cluster.said(/is blocked/, 5_000);
    await expect(line).rejects.toThrow('was not said');
    expect(readyPids(await cluster.status())).toEqual(before);
  });
});
