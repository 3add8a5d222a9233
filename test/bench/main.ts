/**
 * Measures the contenders beside each other: every round starts every server anew and visits each of its routes
 * once, so that a drift of the machine meets all of them. Medians of the rounds are printed, and ratios in the run.
 *
 * `npm run bench -- [--rounds 5] [--seconds 2] [--connections 64] [--node 20,22,24] [--only Signalbox,Fastify]
 *   [--routes ping,404,limited,limited-thrice,me,search] [--redis 0,1,5]`
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { credentialsOf, type Credentials } from './credentials.js';
import { CONTENDERS, startContender, type RunningContender } from './contenders.js';
import { nodeBinary } from './node-binary.js';
import { processCpuMicroseconds } from './process-cpu.js';
import { startBenchRedis, type BenchRedis } from './redis.js';
import { printReport, type Sample } from './report.js';
import { requireSearchAnswers, SEARCH_PATHS } from './search-answers.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    connections: { type: 'string', default: '64' },
    node: { type: 'string', default: String(process.versions.node.split('.')[0]) },
    only: { type: 'string' },
    routes: { type: 'string' },
    redis: { type: 'string', default: '0' },
  },
});

interface Route {
  name: string;
  /** What is asked for, in turn. */
  paths: readonly string[];
  status: string;
  /** Whether every server has it, and asks nobody for it. */
  isPlain: boolean;
  /** Checks that a server does what it is measured for: one that does less is faster. */
  prepare?(server: RunningContender): Promise<Credentials | void>;
}

const ALL_ROUTES: readonly Route[] = [
  { name: 'ping', paths: ['/ping'], status: '200', isPlain: true },
  { name: '404', paths: ['/nope'], status: '404', isPlain: true },
  { name: 'limited', paths: ['/limited'], status: '200', isPlain: false },
  { name: 'limited-thrice', paths: ['/limited-thrice'], status: '200', isPlain: false },
  { name: 'me', paths: ['/api/v1/me'], status: '200', isPlain: false, prepare: credentialsOf },
  { name: 'search', paths: SEARCH_PATHS, status: '200', isPlain: false, prepare: requireSearchAnswers },
];
const wantedRoutes = values.routes?.split(',');
const ROUTES = ALL_ROUTES.filter(({ name }) => wantedRoutes === undefined || wantedRoutes.includes(name));
const DISTANCES_MS = values.redis.split(',').map(Number);

const WARM_UP_SECONDS = 1.5;
const COUNTED_REQUESTS = 100;

const run = promisify(execFile);
const loadProgram = fileURLToPath(new URL('./load.js', import.meta.url));

interface Load {
  requests: number;
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  errors: number;
  statuses: string[];
}

async function load(
  server: RunningContender,
  route: Route,
  seconds: number,
  headers: Credentials,
): Promise<Load> {
  const { stdout } = await run('taskset', [
    '-c',
    '1',
    process.execPath,
    loadProgram,
    server.url,
    String(seconds),
    values.connections,
    JSON.stringify(headers),
    JSON.stringify(route.paths),
  ]);
  return JSON.parse(stdout) as Load;
}

async function measure(
  server: RunningContender,
  route: Route,
  distanceMs: number,
  headers: Credentials,
): Promise<Sample> {
  const before = processCpuMicroseconds(server.pid);
  const result = await load(server, route, Number(values.seconds), headers);
  const cpu = processCpuMicroseconds(server.pid) - before;
  if (result.errors > 0 || result.statuses.join() !== route.status) {
    throw new Error(`${server.name}, ${route.name}, Redis ${distanceMs} ms away: ${JSON.stringify(result)}`);
  }
  return {
    server: server.name,
    route: distanceMs === 0 ? route.name : `${route.name}, Redis ${distanceMs} ms away`,
    perSecond: result.perSecond,
    cpuMicroseconds: cpu / result.requests,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
  };
}

/** Every server on every route, with Redis at one distance. */
async function round(node: string, redis: BenchRedis, distanceMs: number): Promise<Sample[]> {
  const only = values.only?.split(',');
  const contenders = CONTENDERS.filter(({ name }) => only === undefined || only.includes(name));
  const samples: Sample[] = [];
  // New processes each round: what V8 makes of a program differs from one start to the next.
  const servers: RunningContender[] = [];
  try {
    for (const contender of contenders) {
      servers.push(await startContender(contender, node, redis.urlAt(distanceMs)));
    }
    for (const route of ROUTES) {
      if (distanceMs > 0 && route.isPlain) continue;
      for (const server of servers) {
        if (!(route.isPlain ? !server.isVariant : server.routes.includes(route.name))) continue;
        const headers = (await route.prepare?.(server)) ?? {};
        await load(server, route, WARM_UP_SECONDS, headers);
        const sample = await measure(server, route, distanceMs, headers);
        samples.push(distanceMs === 0 ? sample : { ...sample, redis: await useOf(server, route, headers) });
      }
    }
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
  return samples;

  function useOf(
    server: RunningContender,
    route: Route,
    headers: Credentials,
  ): ReturnType<BenchRedis['useOf']> {
    let sent = 0;
    return redis.useOf(distanceMs, COUNTED_REQUESTS, async () => {
      const path = route.paths[sent++ % route.paths.length];
      await (await fetch(server.url + path, { headers })).text();
    });
  }
}

async function bench(line: string, redis: BenchRedis): Promise<void> {
  const node = await nodeBinary(line);
  const samples: Sample[] = [];
  for (let count = 1; count <= Number(values.rounds); count += 1) {
    process.stderr.write(`Node ${line}: round ${count} of ${values.rounds}\n`);
    for (const distanceMs of DISTANCES_MS) samples.push(...(await round(node, redis, distanceMs)));
  }
  printReport(`Node ${line}`, samples);
}

const redis = await startBenchRedis(DISTANCES_MS);
try {
  for (const line of values.node.split(',')) await bench(line.trim(), redis);
} finally {
  await redis.stop();
}
