import { listen } from '@signalbox/testing';
import { array, assert, asyncProperty, constantFrom, integer } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { check, health, type CheckFunction } from '../src/index.js';
import { appWith, until } from './support.js';

/** What one run of a check does. */
type Step = 'ok' | 'degraded' | 'fail' | 'throw' | 'slow' | 'late' | 'deaf';

const step = constantFrom<Step>('ok', 'degraded', 'fail', 'throw', 'slow', 'late', 'deaf');

const TIMEOUT_MS = 4;

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Plays its steps one a run, then succeeds, and counts how many runs there are at a time. */
function scripted(steps: readonly Step[]): { run: CheckFunction; most: () => number; isDone: () => boolean } {
  const left = [...steps];
  let running = 0;
  let most = 0;

  const play = async (step: Step, signal: AbortSignal): Promise<unknown> => {
    if (step === 'fail') throw new Error('no');
    if (step === 'degraded') return 'degraded';
    if (step === 'slow') await wait(TIMEOUT_MS - 2);
    if (step === 'late') await new Promise((_, reject) => signal.addEventListener('abort', reject));
    if (step === 'deaf') await wait(TIMEOUT_MS * 3);
    return undefined;
  };
  const run = (signal: AbortSignal): unknown => {
    const step = left.shift() ?? 'ok';
    if (step === 'throw') throw new Error('at once');
    running += 1;
    most = Math.max(most, running);
    return play(step, signal).finally(() => {
      running -= 1;
    });
  };
  return { run, most: () => most, isDone: () => left.length === 0 && running === 0 };
}

interface Body {
  status: string;
  services: Record<string, { status: string; critical: boolean }>;
}

/** What the states of the services in a body make of the whole, told a second time. */
function expectedStatus(services: Body['services']): string {
  const all = Object.values(services);
  if (all.some(({ status, critical }) => critical && status === 'unhealthy')) return 'unhealthy';
  const isFine = all.every(
    ({ status, critical }) => status === 'healthy' || (status === 'unknown' && !critical),
  );
  return isFine ? 'healthy' : 'degraded';
}

function expectValid(status: number, body: Body): void {
  expect(['healthy', 'degraded', 'unhealthy']).toContain(body.status);
  for (const service of Object.values(body.services)) {
    expect(['unknown', 'healthy', 'degraded', 'unhealthy']).toContain(service.status);
  }
  expect(body.status).toBe(expectedStatus(body.services));
  expect(status).toBe(body.status === 'unhealthy' ? 503 : 200);
}

describe('probes while checks change their minds', () => {
  it('never show a state that is not one, and never make a check run twice at a time', async () => {
    await assert(
      asyncProperty(
        array(step, { maxLength: 6 }),
        array(step, { maxLength: 6 }),
        integer({ min: 1, max: 3 }),
        integer({ min: 1, max: 3 }),
        async (first, second, failuresToFall, successesToRise) => {
          const scripts = [scripted(first), scripted(second)] as const;
          const options = { everyMs: 1, timeoutMs: TIMEOUT_MS, failuresToFall, successesToRise };
          const handle = health({
            service: 's',
            version: '1',
            checks: [
              check('critical', scripts[0].run, { ...options, critical: true }),
              check('optional', scripts[1].run, options),
            ],
          });
          try {
            await probeUntil(await listen(appWith(handle)), () => scripts.every(({ isDone }) => isDone()));
            for (const { most } of scripts) expect(most()).toBeLessThanOrEqual(1);
            // Whatever it went through, it ends where the last results say.
            await until(() => handle.report().status === 'healthy');
          } finally {
            handle.close();
          }
        },
      ),
      { numRuns: 25 },
    );
  });
});

async function probeUntil(url: string, isDone: () => boolean): Promise<void> {
  while (!isDone()) {
    const [plain, detailed, ready] = await Promise.all([
      fetch(`${url}/health`),
      fetch(`${url}/health/detailed`),
      fetch(`${url}/readyz`),
    ]);
    expectValid(plain.status, (await plain.json()) as Body);
    expectValid(detailed.status, (await detailed.json()) as Body);

    const { status } = (await ready.json()) as Body;
    expect(ready.status).toBe(status === 'ready' ? 200 : 503);
    expect(['ready', 'starting', 'not_ready']).toContain(status);
  }
}
