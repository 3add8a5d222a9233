import { redisWithFaults, type RedisWithFaults } from '@signalbox/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LOG_FIELDS } from '../../examples/orchestrator/deploy/generate/logs.js';
import { ADMIN_SETTINGS, adminOf, type Credentials } from '../support/identity.js';
import { steadyLoad } from '../support/load.js';
import { startOrchestrator, type RunningOrchestrator } from '../support/orchestrator.js';
import { waitUntil } from '../support/program.js';
import { requireProgram } from '../support/system-packages.js';

/** The link's deadline, and room for a machine that runs other tests. */
const ANSWERED_WITHIN_MS = 100 + 400;

const startRedisWithFaults = async (): Promise<RedisWithFaults> =>
  redisWithFaults({ command: await requireProgram('redis-server') });

/** Whether Redis is there: where it is not, an admin's token cannot be looked up either. */
async function isUp({ url }: RunningOrchestrator, admin: Credentials): Promise<boolean> {
  const response = await fetch(`${url}/admin/overview`, { headers: admin });
  if (response.status !== 200) return false;
  return ((await response.json()) as { redis: { state: string } }).redis.state === 'up';
}

async function degradedFeatures({ url }: RunningOrchestrator): Promise<string[]> {
  const status = (await (await fetch(`${url}/status`)).json()) as { degraded: { feature: string }[] };
  return status.degraded.map(({ feature }) => feature);
}

const isText = (value: unknown): boolean => typeof value === 'string';
const isNumber = (value: unknown): boolean => typeof value === 'number';

/** What an index takes as a field of that type. */
const TAKES: Readonly<Record<(typeof LOG_FIELDS)[keyof typeof LOG_FIELDS][1], (value: unknown) => boolean>> =
  {
    keyword: isText,
    match_only_text: isText,
    float: isNumber,
    long: Number.isSafeInteger,
    short: (value) => Number.isInteger(value) && Math.abs(Number(value)) < 2 ** 15,
  };

/** What stands in lines of the log that an index would refuse, and the line with it. */
function misfits(lines: readonly Record<string, unknown>[]): string[] {
  return lines.flatMap((line) =>
    Object.entries(LOG_FIELDS)
      .filter(([field, [, type]]) => line[field] !== undefined && !TAKES[type](line[field]))
      .map(([field]) => `${field}: ${JSON.stringify(line[field])}`),
  );
}

/** Counts of the orchestrator in Redis, past the proxy. */
async function keysIn(redis: RedisWithFaults): Promise<string[]> {
  return (await redis.command('KEYS', 'signalbox:rate-limit:*')) as string[];
}

/** Searches as long as something else takes, and afterwards until Redis counts again. */
async function whileSearched(
  running: RunningOrchestrator,
  redis: RedisWithFaults,
  headers: Credentials,
  during: () => Promise<unknown>,
): Promise<{ slowestMs: number; outcomes: Record<string, number> }> {
  const load = await steadyLoad(`${running.url}/api/v1/search?q=express`, {
    ratePerSecond: 50,
    durationMs: 30_000,
    headers,
  });
  const beganMs = load.nowMs();
  await during();
  await redis.heal();
  await redis.command('FLUSHALL');
  expect(await waitUntil(async () => (await keysIn(redis)).length > 0, 5_000)).toBe(true);
  // What is over at once is over before a handful of searches were sent.
  expect(await waitUntil(() => load.results.length >= 10)).toBe(true);
  await load.stop();
  return { slowestMs: load.percentile(100, beganMs), outcomes: load.tally() };
}

describe('while Redis fails, searches', () => {
  let redis: RedisWithFaults;
  let running: RunningOrchestrator;
  let admin: Credentials;
  beforeAll(async () => {
    redis = await startRedisWithFaults();
    running = await startOrchestrator({ REDIS_URL: redis.url, ...ADMIN_SETTINGS });
    admin = (await adminOf(running.url)).bearer;
    expect(await waitUntil(() => isUp(running, admin))).toBe(true);
    // What is compiled with the first searches, the embedded Postgres among it, is no outage.
    for (let n = 0; n < 20; n += 1) await fetch(`${running.url}/api/v1/search?q=express`, { headers: admin });
  });
  afterAll(async () => {
    await running.program.stop();
    await redis.close();
  });

  const degraded = (): Promise<boolean> =>
    waitUntil(async () => (await degradedFeatures(running)).includes('rate-limit'), 5_000);

  it.each<[string, () => Promise<unknown>]>([
    ['is killed', () => redis.kill()],
    ['is stopped', () => redis.stop()],
    ['is slow', () => redis.slow(500)],
    ['is partitioned', () => redis.partition()],
    ['loses all that is sent', () => redis.blackhole()],
    ['refuses connections', () => redis.refuse()],
    ['has become a replica', () => redis.readOnly()],
    ['is full', () => redis.full()],
  ])(
    'go on within the deadline when it %s, and are counted in it again afterwards',
    async (_fault, apply) => {
      const { slowestMs, outcomes } = await whileSearched(running, redis, admin, async () => {
        await apply();
        expect(await degraded()).toBe(true);
      });
      expect(Object.keys(outcomes)).toEqual(['200']);
      expect(slowestMs).toBeLessThan(ANSWERED_WITHIN_MS);
      expect(await waitUntil(async () => (await degradedFeatures(running)).length === 0, 5_000)).toBe(true);
      expect(await isUp(running, admin)).toBe(true);
    },
    30_000,
  );

  it('go on when its scripts are flushed, and nothing runs degraded', async () => {
    const { outcomes } = await whileSearched(running, redis, admin, () => redis.flushScripts());
    expect(Object.keys(outcomes)).toEqual(['200']);
    expect(await degradedFeatures(running)).toEqual([]);
  });

  it('go on while it restarts under them', async () => {
    const { slowestMs, outcomes } = await whileSearched(running, redis, admin, async () => {
      for (let n = 0; n < 3; n += 1) {
        await redis.kill();
        await redis.restart();
        expect(await waitUntil(() => isUp(running, admin), 5_000)).toBe(true);
      }
    });
    expect(Object.keys(outcomes)).toEqual(['200']);
    expect(slowestMs).toBeLessThan(ANSWERED_WITHIN_MS);
  }, 30_000);

  it('have left a line in the log for each beginning and end', async () => {
    expect(await waitUntil(async () => (await degradedFeatures(running)).length === 0, 5_000)).toBe(true);
    const lines = running.log().filter(({ feature }) => feature === 'rate-limit');
    expect(lines.length).toBeGreaterThanOrEqual(16);
    expect(lines.length % 2).toBe(0);
  });
});

describe('with Redis dead at the start', () => {
  it('the orchestrator starts, limits by itself, says so, and counts in Redis as soon as there is one', async () => {
    const redis = await startRedisWithFaults();
    await redis.kill();
    // Whoever has a token may search; it was issued where there was a Redis.
    const shared = { SECRET_KEYS: 'k'.repeat(32), PUBLIC_URL: 'http://127.0.0.1:1', ...ADMIN_SETTINGS };
    const elsewhere = await startOrchestrator(shared);
    const headers = (await adminOf(elsewhere.url)).bearer;
    await elsewhere.program.stop();
    const running = await startOrchestrator({ ...shared, REDIS_URL: redis.url, RATE_SEARCH: undefined });
    try {
      const statuses: number[] = [];
      for (let n = 0; n < 6; n += 1) {
        statuses.push((await fetch(`${running.url}/api/v1/search?q=express`, { headers })).status);
      }
      expect(statuses).toEqual([200, 200, 200, 200, 200, 429]);
      expect(await degradedFeatures(running)).toContain('rate-limit');
      // Until the embedded Postgres has its tables, which takes a busy machine seconds, it is not well either.
      expect(await waitUntil(async () => (await healthOf(running)) === 'degraded', 15_000)).toBe(true);
      expect((await fetch(`${running.url}/health`)).status).toBe(200);
      // The features say so at once; their check, only when it has failed more than once.
      const isFound = (): boolean =>
        running.log().some(({ check, health }) => check === 'redis' && health === 'unhealthy');
      expect(await waitUntil(isFound, 15_000)).toBe(true);

      await redis.heal();
      expect(await waitUntil(() => isUp(running, headers), 5_000)).toBe(true);
      // The check of Redis is made every five seconds.
      expect(await waitUntil(async () => (await degradedFeatures(running)).length === 0, 15_000)).toBe(true);
      await fetch(`${running.url}/api/v1/search?q=express`, { headers });
      expect((await keysIn(redis)).length).toBeGreaterThan(0);

      expect(misfits(running.log())).toEqual([]);
    } finally {
      await running.program.stop();
      await redis.close();
    }
  }, 40_000);
});

async function healthOf({ url }: RunningOrchestrator): Promise<string> {
  return ((await (await fetch(`${url}/health`)).json()) as { status: string }).status;
}
