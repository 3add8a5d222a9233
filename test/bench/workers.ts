/**
 * What more processes are worth: requests a second of one process as it is developed with, and of the process manager
 * with 1, 2 and 4 workers, on all processors of the machine, which the load shares. Each is started anew in each round.
 *
 * `npm run bench:workers -- [--workers 1,2,4] [--rounds 3] [--seconds 3] [--connections 64]`
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { freePort } from '../support/ports.js';
import { startRedis } from '../support/redis.js';

const { values } = parseArgs({
  options: {
    workers: { type: 'string', default: '1,2,4' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '64' },
  },
});

const run = promisify(execFile);
const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const APP = here('./servers/signalbox.js');
const SIGNALBOX = here('../../../packages/cluster/bin/signalbox.js');

interface Running {
  readonly name: string;
  readonly url: string;
  readonly child: ChildProcess;
}

interface Visit {
  readonly perSecond: number;
  readonly p99Ms: number;
}

async function start(name: string, args: readonly string[], env: Record<string, string>): Promise<Running> {
  const port = await freePort();
  const bind = args[0] === SIGNALBOX ? ['--bind', `127.0.0.1:${port}`] : [];
  const child = spawn(process.execPath, [...args, ...bind], {
    env: { ...process.env, ...env, HOST: '127.0.0.1', PORT: String(port) },
    stdio: 'ignore',
  });
  const url = `http://127.0.0.1:${port}/ping`;
  const until = performance.now() + 30_000;
  while (
    !(await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    ))
  ) {
    if (performance.now() > until) throw new Error(`${name} does not answer`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return { name, url, child };
}

async function visit({ name, url }: Running, seconds: string): Promise<Visit> {
  const { stdout } = await run(process.execPath, [here('./load.js'), url, seconds, values.connections]);
  const { perSecond, p99Ms, errors, statuses } = JSON.parse(stdout) as Visit & {
    errors: number;
    statuses: string[];
  };
  if (errors > 0 || statuses.join() !== '200') throw new Error(`${name}: ${stdout}`);
  return { perSecond, p99Ms };
}

function median(figures: readonly number[]): number {
  return figures.toSorted((one, other) => one - other)[Math.floor(figures.length / 2)] ?? Number.NaN;
}

const redis = await startRedis();
const folder = mkdtempSync(join(tmpdir(), 'signalbox-bench-'));
const env = { REDIS_URL: redis.url, NODE_ENV: 'production' };

const contenders = [
  { name: 'one process, NODE_ENV=development', args: [APP], env: { ...env, NODE_ENV: 'development' } },
  ...values.workers.split(',').map((workers) => ({
    name: `signalbox start, workers: ${workers}`,
    args: [SIGNALBOX, 'start', APP, '--workers', workers, '--pid-file', join(folder, 'pid')],
    env,
  })),
];

const visits = new Map(contenders.map(({ name }) => [name, [] as Visit[]]));
try {
  for (let round = 0; round < Number(values.rounds); round += 1) {
    for (const { name, args, env } of round % 2 === 0 ? contenders : contenders.toReversed()) {
      // Anew each time: every start of V8 settles differently.
      const server = await start(name, args, env);
      try {
        await visit(server, '2');
        visits.get(name)?.push(await visit(server, values.seconds));
      } finally {
        server.child.kill('SIGTERM');
        await once(server.child, 'exit');
      }
    }
  }
} finally {
  await redis.stop();
  rmSync(folder, { recursive: true, force: true });
}

const perSecond = (name: string): number => median((visits.get(name) ?? []).map((each) => each.perSecond));
const first = perSecond(contenders[0]?.name ?? '');
console.log(`${availableParallelism()} processors, GET /ping, ${values.connections} connections, medians`);
console.table(
  Object.fromEntries(
    contenders.map(({ name }) => [
      name,
      {
        'req/s': Math.round(perSecond(name)),
        '÷ one process': (perSecond(name) / first).toFixed(2),
        'p99 ms': median((visits.get(name) ?? []).map(({ p99Ms }) => p99Ms)),
      },
    ]),
  ),
);
