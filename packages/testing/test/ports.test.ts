import { expect, it, onTestFinished, vi } from 'vitest';
import { freePort } from '../src/index.js';

it('a free port is given once, so that who starts anew on it finds it free', async () => {
  const ports = await Promise.all(Array.from({ length: 400 }, () => freePort()));
  expect(new Set(ports).size).toBe(ports.length);
});

it('a free port is of no use to another worker of the test runner, whatever their processes are called', async () => {
  onTestFinished(() => void vi.unstubAllEnvs());
  const lastOf: Set<number>[] = [];
  for (const worker of ['1', '2', '3', '4']) {
    vi.stubEnv('VITEST_POOL_ID', worker);
    const ports = await Promise.all(Array.from({ length: 20 }, () => freePort()));
    lastOf.push(new Set(ports.map((port) => port % 12)));
  }
  expect(lastOf.map(({ size }) => size)).toEqual([1, 1, 1, 1]);
  expect(new Set(lastOf.flatMap((each) => [...each])).size).toBe(4);
});
