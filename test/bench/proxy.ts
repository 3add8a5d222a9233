/**
 * Reverse proxies beside each other. Every round starts every proxy anew and gives it each kind of request once, so
 * that a drift of the machine meets all of them. Medians of the rounds are printed; ratios are made within a round.
 *
 * `npm run bench:proxy -- [--rounds 5] [--seconds 2] [--connections 64] [--node 20,22,24] [--only signalbox,httpxy]
 *   [--kinds small,large,upload]`
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { startProgram } from '../support/program.js';
import { nodeBinary } from './node-binary.js';
import { processCpuMicroseconds } from './process-cpu.js';
import { startNginxProxy, startOrigin, type RunningNginx } from './proxy-nginx.js';
import { printProxyReport, type ProxySample } from './proxy-report.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    connections: { type: 'string', default: '64' },
    node: { type: 'string', default: String(process.versions.node.split('.')[0]) },
    only: { type: 'string' },
    kinds: { type: 'string', default: 'small,large,upload' },
  },
});

const KINDS = {
  small: { title: 'GET, 1 KB of JSON', path: '/small', method: 'GET', bodyBytes: 0 },
  large: { title: 'GET, 100 KB', path: '/large', method: 'GET', bodyBytes: 0 },
  upload: { title: 'POST, 100 KB', path: '/upload', method: 'POST', bodyBytes: 100 * 1024 },
} as const;
type Kind = keyof typeof KINDS;

const PROXIES = [
  'nginx',
  'signalbox',
  'signalbox-express',
  'httpxy',
  'httpxy-express',
  'http-proxy',
  'http-proxy-middleware',
  'fastify-http-proxy',
];

/** The proxy has the first processor for itself; the load and the upstream share the second. */
const PROXY_CPU = 0;
const OTHER_CPU = 1;
/**
 * What V8 needs to have made machine code of what matters: by count, since on a busy machine a time says nothing.
 * Where that takes too long, it has to do.
 */
const WARM_UP = { requests: { small: 30_000, large: 3_000, upload: 3_000 }, seconds: 20 };

const run = promisify(execFile);
const loadProgram = fileURLToPath(new URL('./proxy-load.js', import.meta.url));
const contenderProgram = fileURLToPath(new URL('./proxy-contender.js', import.meta.url));

interface Load {
  requests: number;
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  errors: number;
  statuses: string[];
}

async function load(url: string, kind: Kind, seconds: number, most = Infinity): Promise<Load> {
  const { path, method, bodyBytes } = KINDS[kind];
  const args = [url + path, seconds, values.connections, method, bodyBytes, most].map(String);
  const { stdout } = await run('taskset', ['-c', String(OTHER_CPU), process.execPath, loadProgram, ...args]);
  return JSON.parse(stdout) as Load;
}

async function startProxy(name: string, node: string, upstream: string): Promise<RunningNginx> {
  if (name === 'nginx') return startNginxProxy(upstream, PROXY_CPU);
  const program = await startProgram('taskset', ['-c', String(PROXY_CPU), node, contenderProgram, name], {
    name,
    env: { NODE_ENV: 'production', HOST: '127.0.0.1', PORT: '0', UPSTREAM: upstream },
    ready: /listening on http/,
  });
  const [, url = ''] = await program.waitFor(/listening on (http:\/\/\S+)/);
  return { url, pid: program.pid, stop: async () => void (await program.stop()) };
}

async function measure(name: string, proxy: RunningNginx, kind: Kind): Promise<Omit<ProxySample, 'round'>> {
  await load(proxy.url, kind, WARM_UP.seconds, WARM_UP.requests[kind]);
  const before = processCpuMicroseconds(proxy.pid);
  const result = await load(proxy.url, kind, Number(values.seconds));
  const cpu = processCpuMicroseconds(proxy.pid) - before;
  if (result.errors > 0 || result.statuses.join() !== '200') {
    throw new Error(`${name}, ${kind}: ${JSON.stringify(result)}`);
  }
  const { perSecond, p50Ms, p99Ms } = result;
  return { proxy: name, kind, perSecond, cpuMicroseconds: cpu / result.requests, p50Ms, p99Ms };
}

async function bench(line: string, origin: RunningNginx): Promise<void> {
  const node = await nodeBinary(line);
  const only = values.only?.split(',');
  const names = PROXIES.filter((name) => only === undefined || only.includes(name));
  const kinds = (Object.keys(KINDS) as Kind[]).filter((kind) => values.kinds.split(',').includes(kind));
  const samples: ProxySample[] = [];
  for (let round = 1; round <= Number(values.rounds); round += 1) {
    process.stderr.write(`Node ${line}: round ${round} of ${values.rounds}\n`);
    const proxies: [string, RunningNginx][] = [];
    try {
      for (const name of names) proxies.push([name, await startProxy(name, node, origin.url)]);
      for (const kind of kinds) {
        for (const [name, proxy] of proxies) samples.push({ round, ...(await measure(name, proxy, kind)) });
      }
    } finally {
      await Promise.all(proxies.map(([, proxy]) => proxy.stop()));
    }
  }
  for (const kind of kinds) {
    printProxyReport(
      `Node ${line}, ${KINDS[kind].title}`,
      samples.filter((sample) => sample.kind === kind),
    );
  }
}

const origin = await startOrigin(OTHER_CPU);
try {
  for (const line of values.node.split(',')) await bench(line.trim(), origin);
} finally {
  await origin.stop();
}
