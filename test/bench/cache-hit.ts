/**
 * What a hit costs: a search of 10 KB behind the whole public stack, asked of an instance of SearXNG as the orchestrator does
 * it, made anew in the process each time, from the cache, from the local tier of the cache in Redis, and as a constant
 * buffer, beside each other.
 *
 * `node test/dist/bench/cache-hit.js [--rounds 4] [--visits 12] [--seconds 1] [--connections 64] [--node 20,22,24]`
 */
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { startContender, type Contender, type RunningContender } from './contenders.js';
import { nodeBinary } from './node-binary.js';
import { processCpuMicroseconds } from './process-cpu.js';
import { startBenchRedis } from './redis.js';
import { searchResults } from './servers/search-results.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '4' },
    visits: { type: 'string', default: '12' },
    seconds: { type: 'string', default: '1' },
    connections: { type: 'string', default: '64' },
    node: { type: 'string', default: String(process.versions.node.split('.')[0]) },
  },
});

/** A search that asks an instance, and one that takes nothing but the making of its JSON. */
const ASKED = 'asked';
const UNCACHED = 'uncached';
const CONSTANT = 'constant';
const WAYS = [ASKED, UNCACHED, 'cached', 'tier', CONSTANT];
const SERVER: Contender = { name: 'searches', program: './servers/searches.js', routes: [] };
// V8 makes code faster for as long as that, and what hits share with misses last.
const WARM_UP_SECONDS = 4;

const run = promisify(execFile);
const loadProgram = fileURLToPath(new URL('./load.js', import.meta.url));

interface Visit {
  perSecond: number;
  cpuMicroseconds: number;
}

/** What was measured of all ways one right after the other: process and machine were the same for them. */
type Visits = ReadonlyMap<string, Visit>;

async function visit(server: RunningContender, way: string, seconds: number): Promise<Visit> {
  const before = processCpuMicroseconds(server.pid);
  const { stdout } = await run('taskset', [
    '-c',
    '1',
    process.execPath,
    loadProgram,
    `${server.url}/search/${way}?q=tea`,
    String(seconds),
    values.connections,
  ]);
  const result = JSON.parse(stdout) as {
    requests: number;
    perSecond: number;
    errors: number;
    statuses: string[];
  };
  if (result.errors > 0 || result.statuses.join() !== '200') throw new Error(`${way}: ${stdout}`);
  const cpu = processCpuMicroseconds(server.pid) - before;
  return { perSecond: result.perSecond, cpuMicroseconds: cpu / result.requests };
}

/** A new process each round, since what V8 makes of a program differs from one start to the next. */
async function round(node: string, redisUrl: string): Promise<Visits[]> {
  const server = await startContender(SERVER, node, redisUrl);
  try {
    for (const way of WAYS) await visit(server, way, WARM_UP_SECONDS);
    const all: Visits[] = [];
    for (let count = 0; count < Number(values.visits); count += 1) {
      const visits = new Map<string, Visit>();
      for (const way of count % 2 === 0 ? WAYS : WAYS.toReversed()) {
        visits.set(way, await visit(server, way, Number(values.seconds)));
      }
      all.push(visits);
    }
    return all;
  } finally {
    await server.stop();
  }
}

async function bench(line: string, redisUrl: string): Promise<void> {
  const node = await nodeBinary(line);
  const all: Visits[] = [];
  for (let count = 1; count <= Number(values.rounds); count += 1) {
    process.stderr.write(`Node ${line}: round ${count} of ${values.rounds}\n`);
    all.push(...(await round(node, redisUrl)));
  }
  const cpu = (visits: Visits, name: string): number => visits.get(name)?.cpuMicroseconds ?? Number.NaN;
  const perSecond = (visits: Visits, name: string): number => visits.get(name)?.perSecond ?? Number.NaN;
  const of = (figure: (visits: Visits) => number): string => shown(all.map(figure));
  console.log(`\nNode ${line}, medians of ${all.length} visits, and from where to where half of them are`);
  console.table(
    Object.fromEntries(
      WAYS.map((name) => [
        name,
        {
          'CPU µs': of((visits) => cpu(visits, name)),
          'req/s: it ÷ asked': of((visits) => perSecond(visits, name) / perSecond(visits, ASKED)),
          'CPU: uncached ÷ it': of((visits) => cpu(visits, UNCACHED) / cpu(visits, name)),
          'CPU: it ÷ constant': of((visits) => cpu(visits, name) / cpu(visits, CONSTANT)),
          'req/s': of((visits) => perSecond(visits, name)),
          'req/s: it ÷ uncached': of((visits) => perSecond(visits, name) / perSecond(visits, UNCACHED)),
        },
      ]),
    ),
  );
}

function shown(figures: readonly number[]): string {
  const sorted = figures.toSorted((one, other) => one - other);
  const at = (part: number): string => {
    const figure = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
    return figure < 10 ? figure.toFixed(2) : String(Math.round(figure));
  };
  return `${at(0.5)} (${at(0.25)}–${at(0.75)})`;
}

/** Answers at once, in this process, which has nothing else to do while a server is visited. */
const instance = createServer((_req, res) => {
  const results = searchResults('tea').items.map(({ id, title, description }) => {
    const content = `${description} ${description}`;
    return { url: `https://results.example/${id}`, title, content, engine: 'one', engines: ['one', 'two'] };
  });
  res.setHeader('Content-Type', 'application/json').end(JSON.stringify({ query: 'tea', results }));
});
await new Promise<void>((resolve) => instance.listen(0, '127.0.0.1', resolve));
process.env['INSTANCE_URL'] = `http://127.0.0.1:${(instance.address() as AddressInfo).port}`;

const redis = await startBenchRedis([0]);
try {
  for (const line of values.node.split(',')) await bench(line.trim(), redis.urlAt(0));
} finally {
  await redis.stop();
  instance.close();
}
