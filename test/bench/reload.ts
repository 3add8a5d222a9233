/**
 * What visitors notice when a server is reloaded, loses a worker, or replaces its workers now and then: steady requests
 * over kept-alive and new connections, and upgraded connections that come back when they end. Under each process
 * manager, on an idle machine and with processes that take all of its processors.
 *
 * `npm run bench:reload -- [--only signalbox,pm2] [--reloads 20] [--rate 500] [--sockets 500] [--workers 2]
 *   [--hogs 0,3] [--scenes reload,kill,recycle] [--seconds 20]`
 */
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { freePort } from '../support/ports.js';
import { MANAGERS, type Manager, type ManagerKind } from './reload-managers.js';
import type { VisitReport } from './reload-load.js';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    reloads: { type: 'string', default: '20' },
    rate: { type: 'string', default: '500' },
    sockets: { type: 'string', default: '500' },
    workers: { type: 'string', default: '2' },
    hogs: { type: 'string', default: '0,3' },
    scenes: { type: 'string', default: 'reload,kill,recycle' },
    seconds: { type: 'string', default: '20' },
  },
});

const RECYCLE_AFTER = 200;
const KILLS = 5;
const BETWEEN_MS = 500;
const REPLACED_WITHIN_MS = 30_000;

interface Row {
  requests: number;
  failed: string;
  'p99 ms': number;
  sockets: string;
  'longest away ms': number;
  times: string;
}

/** Something that happens to the workers; resolves with how long each time took, and what took that long. */
interface Scene {
  readonly name: string;
  readonly recycleAfter?: number;
  fits(kind: ManagerKind): boolean;
  play(manager: Manager): Promise<string>;
}

const SCENES: readonly Scene[] = [
  { name: 'reload', fits: () => true, play: reloadAgainAndAgain },
  { name: 'kill', fits: () => true, play: killWorkers },
  {
    name: 'recycle',
    recycleAfter: RECYCLE_AFTER,
    fits: ({ canRecycle }) => canRecycle,
    play: watchRecycling,
  },
];

async function reloadAgainAndAgain(manager: Manager): Promise<string> {
  const times: number[] = [];
  for (let count = 0; count < Number(values.reloads); count += 1) {
    times.push(await timed(() => manager.reload()));
    await pause(BETWEEN_MS);
  }
  return `${times.length} reloads of ${range(times)} ms`;
}

/** With SIGKILL: what it had under way is lost. */
async function killWorkers(manager: Manager): Promise<string> {
  const times: number[] = [];
  for (let count = 0; count < KILLS; count += 1) {
    const before = await manager.workers();
    const [victim] = before;
    if (victim === undefined) throw new Error('There is no worker to kill');
    process.kill(victim, 'SIGKILL');
    times.push(await timed(() => replaced(manager, before, victim)));
    await pause(4 * BETWEEN_MS);
  }
  return `${times.length} replaced within ${range(times)} ms`;
}

async function replaced(manager: Manager, before: readonly number[], victim: number): Promise<void> {
  const end = performance.now() + REPLACED_WITHIN_MS;
  while (performance.now() < end) {
    const now = await manager.workers();
    if (!now.includes(victim) && now.length >= before.length) return;
  }
  throw new Error(`Worker ${victim} was not replaced within ${REPLACED_WITHIN_MS} ms`);
}

async function watchRecycling(manager: Manager): Promise<string> {
  const seen = new Set<number>();
  let fewest = Number.POSITIVE_INFINITY;
  const end = performance.now() + Number(values.seconds) * 1_000;
  while (performance.now() < end) {
    const now = await manager.workers();
    for (const pid of now) seen.add(pid);
    fewest = Math.min(fewest, now.length);
    await pause(BETWEEN_MS / 5);
  }
  return `${seen.size} workers in ${values.seconds} s, never fewer than ${fewest} ready`;
}

async function visit(kind: ManagerKind, scene: Scene, hogs: number): Promise<Row> {
  const port = await freePort();
  const workers = Number(values.workers);
  const { recycleAfter = 0 } = scene;
  const manager = await kind.start({ port, workers, recycleAfter });
  const load = await startLoad(port);
  const hogging = Array.from({ length: hogs }, () => spawn(process.execPath, ['-e', 'for (;;);']));
  try {
    await pause(2_000);
    await reportOf(load);
    const times = await scene.play(manager);
    await pause(1_000);
    return rowOf(await reportOf(load), times);
  } finally {
    for (const child of [...hogging, load]) child.kill('SIGKILL');
    await manager.stop();
  }
}

async function startLoad(port: number): Promise<ChildProcess> {
  const program = fileURLToPath(new URL('./reload-load.js', import.meta.url));
  const load = fork(program, [String(port), values.rate, values.sockets]);
  await once(load, 'message');
  return load;
}

async function reportOf(load: ChildProcess): Promise<VisitReport> {
  load.send('report');
  const [report] = (await once(load, 'message')) as [VisitReport];
  return report;
}

function rowOf({ keptAlive, newConnections, sockets }: VisitReport, times: string): Row {
  const failures = [
    ...Object.entries(keptAlive.failures).map(([reason, count]) => `${count} ${reason} kept alive`),
    ...Object.entries(newConnections.failures).map(([reason, count]) => `${count} ${reason} new`),
  ];
  const ends = Object.entries(sockets.ends).map(([reason, count]) => `${count} ${reason}`);
  return {
    requests: keptAlive.requests + newConnections.requests,
    failed: failures.join(', ') || '0',
    'p99 ms': Math.round(Math.max(keptAlive.p99Ms, newConnections.p99Ms)),
    sockets: `${sockets.open} open; ends: ${ends.join(', ') || 'none'}`,
    'longest away ms': sockets.longestAwayMs,
    times,
  };
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

function range(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b).map(Math.round);
  return `${sorted[0]} to ${sorted.at(-1)} (median ${sorted[Math.floor(sorted.length / 2)]})`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const wanted = values.only?.split(',');
const scenes = values.scenes.split(',');
for (const scene of SCENES) {
  if (!scenes.includes(scene.name)) continue;
  for (const hogs of values.hogs.split(',').map(Number)) {
    const rows: Record<string, Row> = {};
    for (const kind of MANAGERS) {
      if (!scene.fits(kind) || (wanted && !wanted.some((word) => kind.name.startsWith(word)))) continue;
      process.stderr.write(`${scene.name} under ${kind.name}, ${hogs} processes hogging\n`);
      rows[kind.name] = await visit(kind, scene, hogs);
    }
    console.log(`\n${scene.name}, ${values.workers} workers, ${hogs} processes hogging the processors`);
    console.table(rows);
  }
}
