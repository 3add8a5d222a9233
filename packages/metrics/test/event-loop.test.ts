import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { eventLoopMonitor } from '../src/event-loop.js';

it('the longest delay of the event loop outlasts the readings that end its window', async () => {
  const monitor = eventLoopMonitor(1);
  onTestFinished(() => monitor.close());
  // Node's own timer has to come by, some 20 ms apart, before a block and after it.
  const readLater = async (): Promise<number> => {
    await delay(60);
    return monitor.read().delayMaxSeconds;
  };
  await readLater();
  await delay(60);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
  await expect.poll(readLater).toBeGreaterThan(0.2);

  const readings = [await readLater(), await readLater(), await readLater()];
  expect(Math.min(...readings)).toBeGreaterThan(0.2);
});
