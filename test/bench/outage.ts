/**
 * What visitors feel when Redis fails: steady requests to a limited route of each contender, while Redis has one
 * fault after the other. Prints, for each fault, how long answers took in the first second, and afterwards; how many
 * failed; and how long after the fault it took until requests were counted in Redis again.
 *
 * `npm run bench:outage -- [--only Signalbox] [--faults dead-at-boot,stopped] [--seconds 4] [--rate 200]`
 */
import { parseArgs } from 'node:util';
import { redisWithFaults, type RedisWithFaults } from '@signalbox/testing';
import { steadyLoad, type Load } from '../support/load.js';
import { requireProgram } from '../support/system-packages.js';
import { CONTENDERS, startContender, type Contender } from './contenders.js';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    faults: { type: 'string' },
    seconds: { type: 'string', default: '4' },
    rate: { type: 'string', default: '200' },
  },
});

const FAULTS: Readonly<Record<string, (redis: RedisWithFaults) => Promise<void>>> = {
  'dead-at-boot': (redis) => redis.kill(),
  killed: (redis) => redis.kill(),
  stopped: (redis) => redis.stop(),
  'slow (500 ms)': (redis) => redis.slow(500),
  partitioned: (redis) => redis.partition(),
  'read-only': (redis) => redis.readOnly(),
  full: (redis) => redis.full(),
  'scripts flushed': (redis) => redis.flushScripts(),
};

const BEFORE_MS = 1_500;
const RECOVERY_MS = 10_000;
const SAMPLE_MS = 100;
/** Who waits longer has given up. */
const PATIENCE_MS = 15_000;

interface Row {
  'p99 before': string;
  'p99 1st second': string;
  'p99 later': string;
  slowest: string;
  failed: string;
  'recovered after': string;
}

async function visit(contender: Contender, fault: string): Promise<Row> {
  const redis = await redisWithFaults({ command: await requireProgram('redis-server') });
  const apply = FAULTS[fault];
  if (apply === undefined) throw new Error(`There is no fault "${fault}"`);
  const bootsDead = fault === 'dead-at-boot';
  if (bootsDead) await apply(redis);
  const server = await startContender(contender, process.execPath, redis.url);
  try {
    const url = `${server.url}/limited`;
    // What is not compiled yet is slow for reasons that have nothing to do with Redis.
    if (!bootsDead) await warmUp(url);
    const faultMs = Number(values.seconds) * 1_000;
    const load = await steadyLoad(url, {
      ratePerSecond: Number(values.rate),
      durationMs: BEFORE_MS + faultMs + RECOVERY_MS,
      timeoutMs: PATIENCE_MS,
      maxInFlight: 5_000,
    });
    await pause(BEFORE_MS);
    const brokenMs = load.nowMs();
    if (!bootsDead) await apply(redis);
    await pause(faultMs);
    await redis.heal();
    const healedMs = load.nowMs();
    const recoveredMs = await countedAgainMs(redis, load);
    await load.stop();
    return {
      'p99 before': bootsDead ? '–' : ms(load.percentile(99, 0, brokenMs)),
      'p99 1st second': ms(load.percentile(99, brokenMs, brokenMs + 1_000)),
      'p99 later': ms(load.percentile(99, brokenMs + 1_000, healedMs)),
      slowest: ms(load.percentile(100, brokenMs)),
      failed: failuresOf(load, brokenMs),
      'recovered after':
        recoveredMs === undefined ? `not in ${RECOVERY_MS / 1_000} s` : ms(recoveredMs - healedMs),
    };
  } finally {
    await server.stop();
    await redis.close();
  }
}

async function warmUp(url: string): Promise<void> {
  const load = await steadyLoad(url, { clients: 8, durationMs: 1_500 });
  await load.done;
}

/**
 * When requests are counted in Redis again at the rate at which they come: a few commands that waited in a socket for
 * Redis to go on are no recovery.
 */
async function countedAgainMs(redis: RedisWithFaults, load: Load): Promise<number | undefined> {
  const endMs = load.nowMs() + RECOVERY_MS - 500;
  let since = { ms: load.nowMs(), calls: await callsOf(redis) };
  while (load.nowMs() < endMs) {
    await pause(SAMPLE_MS);
    const now = { ms: load.nowMs(), calls: await callsOf(redis) };
    const expected = ((now.ms - since.ms) / 1_000) * Number(values.rate);
    if (now.calls - since.calls >= 0.7 * expected && now.calls - since.calls < 1.5 * expected)
      return since.ms;
    since = now;
  }
  return undefined;
}

async function callsOf(redis: RedisWithFaults): Promise<number> {
  const stats = String(await redis.command('INFO', 'commandstats'));
  const calls = ['eval', 'evalsha'].map((name) =>
    Number(new RegExp(`^cmdstat_${name}:calls=(\\d+)`, 'm').exec(stats)?.[1] ?? 0),
  );
  return calls.reduce((sum, each) => sum + each, 0);
}

function failuresOf(load: Load, fromMs: number): string {
  const hit = load.results.filter(({ startMs }) => startMs >= fromMs);
  const failed = hit.filter(({ status }) => status !== 200);
  return `${failed.length} of ${hit.length}`;
}

function ms(duration: number): string {
  return duration < 10 ? `${duration.toFixed(1)} ms` : `${Math.round(duration)} ms`;
}

function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

const contenders = CONTENDERS.filter(
  ({ name, routes }) =>
    routes.includes('limited') && (values.only === undefined || values.only.split(',').includes(name)),
);
for (const fault of Object.keys(FAULTS)) {
  if (values.faults !== undefined && !values.faults.split(',').includes(fault)) continue;
  const rows: Record<string, Row> = {};
  for (const contender of contenders) rows[contender.name] = await visit(contender, fault);
  console.log(`\nRedis ${fault}`);
  console.table(rows);
}
