/**
 * Measures the contenders beside each other: every round starts every server anew and visits each of its routes
 * once, so that a drift of the machine meets all of them. Medians of the rounds are printed, and ratios to bare Express.
 *
 * `npm run bench -- [--rounds 5] [--seconds 2] [--connections 64] [--node 20,22,24] [--only Signalbox,Fastify]`
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { CONTENDERS, startContender, type RunningContender } from './contenders.js';
import { nodeBinary } from './node-binary.js';
import { processCpuMicroseconds } from './process-cpu.js';
import { printReport, type Sample } from './report.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    connections: { type: 'string', default: '64' },
    node: { type: 'string', default: String(process.versions.node.split('.')[0]) },
    only: { type: 'string' },
  },
});

const ROUTES = [
  { name: 'ping', path: '/ping', status: '200' },
  { name: '404', path: '/nope', status: '404' },
];
const WARM_UP_SECONDS = 1.5;

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

async function load(url: string, seconds: number): Promise<Load> {
  const { stdout } = await run('taskset', [
    '-c',
    '1',
    process.execPath,
    loadProgram,
    url,
    String(seconds),
    values.connections,
  ]);
  return JSON.parse(stdout) as Load;
}

async function measure(server: RunningContender, route: (typeof ROUTES)[number]): Promise<Sample> {
  const before = processCpuMicroseconds(server.pid);
  const result = await load(server.url + route.path, Number(values.seconds));
  const cpu = processCpuMicroseconds(server.pid) - before;
  if (result.errors > 0 || result.statuses.join() !== route.status) {
    throw new Error(`${server.name} ${route.path}: ${JSON.stringify(result)}`);
  }
  return {
    server: server.name,
    route: route.name,
    perSecond: result.perSecond,
    cpuMicroseconds: cpu / result.requests,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
  };
}

async function bench(line: string): Promise<void> {
  const node = await nodeBinary(line);
  const wanted = values.only?.split(',');
  const contenders = CONTENDERS.filter(({ name }) => wanted === undefined || wanted.includes(name));
  const samples: Sample[] = [];
  for (let round = 1; round <= Number(values.rounds); round += 1) {
    process.stderr.write(`Node ${line}: round ${round} of ${values.rounds}\n`);
    // New processes each round: what V8 makes of a program differs from one start to the next.
    const servers: RunningContender[] = [];
    try {
      for (const contender of contenders) servers.push(await startContender(contender, node));
      for (const route of ROUTES) {
        for (const server of servers) {
          await load(server.url + route.path, WARM_UP_SECONDS);
          samples.push(await measure(server, route));
        }
      }
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
    }
  }
  printReport(`Node ${line}`, samples);
}

for (const line of values.node.split(',')) await bench(line.trim());
