/**
 * Reverse proxies beside each other. Every round starts every proxy anew, and visits all of them in turn for half a
 * second, again and again, so that whatever else the machine does meets all of them. Medians are printed; ratios are
 * made between visits that stood beside each other.
 *
 * `npm run bench:proxy -- [--rounds 3] [--visits 8] [--connections 64] [--node 20,22,24] [--only signalbox,httpxy]
 *   [--kinds small,large,upload]`
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { startProgram } from '../support/program.js';
import { nodeBinary } from './node-binary.js';
import type { ProxyLoad, ProxyLoadResult } from './proxy-load.js';
import { startNginxProxy, startOrigin, type RunningNginx } from './proxy-nginx.js';
import { printProxyReport, type ProxySample } from './proxy-report.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    visits: { type: 'string', default: '8' },
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
  'signalbox-bare',
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
const VISIT_SECONDS = 0.5;
/**
 * What V8 needs to have made machine code of what matters: by count, since on a busy machine a time says nothing.
 */
const WARM_UP: Record<Kind, number> = { small: 30_000, large: 3_000, upload: 3_000 };
/** Connections that were not used for some seconds are gone, on both sides of a proxy. */
const RECONNECT = 500;

const run = promisify(execFile);
const loadProgram = fileURLToPath(new URL('./proxy-load.js', import.meta.url));
const contenderProgram = fileURLToPath(new URL('./proxy-contender.js', import.meta.url));

async function visit(
  name: string,
  { url, pid }: RunningNginx,
  kind: Kind,
  turn: string,
  first: number,
): Promise<ProxySample> {
  const { path, method, bodyBytes } = KINDS[kind];
  const load: ProxyLoad = {
    url: url + path,
    method,
    bodyBytes,
    connections: Number(values.connections),
    first,
    seconds: VISIT_SECONDS,
    pid,
  };
  const args = ['-c', String(OTHER_CPU), process.execPath, loadProgram, JSON.stringify(load)];
  const { stdout } = await run('taskset', args);
  const result = JSON.parse(stdout) as ProxyLoadResult;
  if (result.errors > 0 || result.statuses.join() !== '200') throw new Error(`${name}, ${kind}: ${stdout}`);
  return { turn, proxy: name, kind, ...result };
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
        for (const [name, proxy] of proxies) await visit(name, proxy, kind, '', WARM_UP[kind]);
        for (let count = 0; count < Number(values.visits); count += 1) {
          const order = count % 2 === 0 ? proxies : proxies.toReversed();
          for (const [name, proxy] of order)
            samples.push(await visit(name, proxy, kind, `${round}.${count}`, RECONNECT));
        }
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
