import { fork, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { assertNeverHangs } from '@signalbox/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { clusterMetrics } from '../src/index.js';
import { readPrometheus, type Exposition } from './read-metrics.js';
import { scrape } from './scraping.js';

interface AppProcess {
  worker: number;
  pid: number;
  url: string;
}

interface AppCluster {
  primary: AppProcess;
  /** Starts a worker and waits until it listens. */
  fork(): Promise<AppProcess>;
  /** From now on the primary adds up. */
  aggregate(): void;
  /** Resolves when the worker has told the primary what it counted, without being asked. */
  told(worker: AppProcess): Promise<void>;
  /** Resolves when the primary has seen the worker exit. */
  exited(worker: AppProcess): Promise<void>;
}

type FromPrimary = { worker: number; pid: number; port: number } | { told: number } | { exited: number };

/** Starts a real app of several processes, which ends with the test. */
async function startCluster(
  aggregate: 'at once' | 'later' = 'at once',
  env: Record<string, string> = {},
): Promise<AppCluster> {
  const program = fileURLToPath(new URL('fixtures/cluster-app.mjs', import.meta.url));
  const child = fork(program, { env: { ...process.env, AGGREGATE: aggregate, ...env } });
  onTestFinished(() => void child.kill('SIGKILL'));

  return {
    primary: await nextProcess(child),
    fork() {
      const listening = nextProcess(child);
      child.send('fork');
      return listening;
    },
    aggregate: () => void child.send('aggregate'),
    async told({ worker }) {
      await nextMessage(child, (message) => 'told' in message && message.told === worker);
    },
    async exited({ worker }) {
      await nextMessage(child, (message) => 'exited' in message && message.exited === worker);
    },
  };
}

async function nextProcess(child: ChildProcess): Promise<AppProcess> {
  const message = await nextMessage(child, (message) => 'port' in message);
  if (!('port' in message)) throw new Error('not reached');
  const { worker, pid, port } = message;
  return { worker, pid, url: `http://127.0.0.1:${port}` };
}

function nextMessage(child: ChildProcess, fits: (message: FromPrimary) => boolean): Promise<FromPrimary> {
  return new Promise((resolve) => {
    const onMessage = (message: unknown) => {
      if (!fits(message as FromPrimary)) return;
      child.off('message', onMessage);
      resolve(message as FromPrimary);
    };
    child.on('message', onMessage);
  });
}

async function work({ url }: AppProcess, times: number): Promise<void> {
  for (let i = 0; i < times; i++) await (await fetch(`${url}/work`)).text();
}

/** Scrapes; `undefined` where the primary did not answer the worker in time. */
async function tryScrape({ url }: AppProcess): Promise<Exposition | undefined> {
  const response = await fetch(`${url}/metrics`);
  const text = await response.text();
  return response.status === 503 ? undefined : readPrometheus(text);
}

/** Scrapes until every worker has answered: on a busy machine one may be late. */
async function scrapeWhole(worker: AppProcess): Promise<Exposition> {
  for (let tries = 0; tries < 50; tries++) {
    const seen = await tryScrape(worker);
    if (seen?.sum('signalbox_scrape_complete') !== 1) continue;
    expect(seen.sum('signalbox_workers_missing')).toBe(0);
    return seen;
  }
  throw new Error('no scrape was complete');
}

/** How many files the kernel lets a process open (proc(5)). */
function mostOpenFiles({ pid }: AppProcess): number {
  return Number(/^Max open files +(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.[1]);
}

/** Since when the app is there, in seconds. */
function startOf(seen: Exposition): number {
  return Math.min(...seen.find('process_start_time_seconds').map(({ value }) => value));
}

/** What the app says that it did of its work. */
function workDone(seen: Exposition): number {
  return seen.sum('http_requests_total', { route: '/work', app: 'shop' });
}

// Starting processes takes its time where the machine has other work.
describe('metrics of a cluster', { timeout: 60_000 }, () => {
  it('are those of the whole app, whoever is scraped', async () => {
    const app = await startCluster();
    const workers = [await app.fork(), await app.fork()] as const;
    await work(workers[0], 3);
    await work(workers[1], 2);

    for (const each of [...workers, app.primary]) {
      const seen = await scrapeWhole(each);
      expect(workDone(seen)).toBe(5);
      expect(seen.sum('http_request_duration_seconds_count', { route: '/work' })).toBe(5);
      expect(seen.sum('http_request_duration_seconds_bucket', { route: '/work', le: '+Inf' })).toBe(5);
      expect(seen.sum('app_sensors')).toBe(2);
      expect(seen.sum('signalbox_workers')).toBe(2);
    }

    const json = (await (await fetch(`${workers[0].url}/metrics.json`)).json()) as { cluster: unknown };
    expect(json.cluster).toMatchObject({ scope: 'cluster', workers: 2 });
  });

  it('have histograms in which no bucket holds less than a smaller one, also where a later version has others', async () => {
    const app = await startCluster('at once', { LATER_BUCKETS: '0.003,0.3,30' });
    const workers = [await app.fork(), await app.fork()] as const;
    await work(workers[0], 20);
    await work(workers[1], 3);

    const seen = await scrapeWhole(workers[1]);
    const buckets = seen.find('http_request_duration_seconds_bucket', { route: '/work' });
    const bounds = buckets.map(({ labels }) => Number(labels['le']?.replace('+Inf', 'Infinity')));
    expect(bounds).toEqual(bounds.toSorted((a, b) => a - b));
    expect(bounds).toEqual(expect.arrayContaining([0.003, 0.005, 0.25, 0.3, 10, 30, Infinity]));
    const counts = buckets.map(({ value }) => value);
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
    expect(counts.at(-1)).toBe(23);
    expect(seen.sum('http_request_duration_seconds_count', { route: '/work' })).toBe(23);
  });

  it('have the limits of all beside what all use, and say since when the app is there', async () => {
    const app = await startCluster();
    const workers = [await app.fork(), await app.fork()] as const;

    const seen = await scrapeWhole(workers[0]);
    const limits = [app.primary, ...workers].map(mostOpenFiles);
    expect(seen.sum('process_max_fds')).toBe(limits.reduce((sum, limit) => sum + limit));
    expect(seen.sum('process_open_fds')).toBeLessThan(seen.sum('process_max_fds'));
    // What the container grants it grants to all together.
    for (const { value } of seen.find('signalbox_memory_limit_bytes')) {
      expect(value).toBeGreaterThan(0);
      expect(value).toBeLessThanOrEqual(totalmem());
    }
    const startOfApp = startOf(seen);
    expect(Math.abs(Date.now() / 1000 - startOfApp)).toBeLessThan(60);

    const exited = app.exited(workers[1]);
    await fetch(`${workers[1].url}/exit`);
    await exited;
    await app.fork();
    expect(startOf(await scrapeWhole(workers[0])), 'stays when a worker is replaced').toBe(startOfApp);
  });

  // prom-client's own aggregation forgets what a worker counted as soon as it is gone: here it would say 2.
  it('keep what was counted by workers that exit or are killed', async () => {
    const app = await startCluster();
    const [leaving, doomed, staying] = [await app.fork(), await app.fork(), await app.fork()];
    await work(leaving, 4);
    await work(doomed, 5);
    await work(staying, 2);
    expect(workDone(await scrapeWhole(staying))).toBe(11);

    const killed = app.exited(doomed);
    process.kill(doomed.pid, 'SIGKILL');
    await killed;
    expect(workDone(await scrapeWhole(staying))).toBe(11);

    await work(leaving, 3);
    const exited = app.exited(leaving);
    await fetch(`${leaving.url}/exit`);
    await exited;

    const seen = await scrapeWhole(staying);
    expect(workDone(seen), 'up to the last request').toBe(14);
    expect(seen.sum('http_request_duration_seconds_count', { route: '/work' })).toBe(14);
    expect(seen.sum('http_requests_total', { route: '/exit' })).toBe(1);
    expect(seen.sum('app_sensors'), 'gauges go with their worker').toBe(1);
    expect(seen.sum('signalbox_workers')).toBe(1);

    const replacement = await app.fork();
    await work(replacement, 1);
    expect(workDone(await scrapeWhole(replacement))).toBe(15);
  });

  it('have the numbers of the worker that is asked, also before it has told any of its own accord', async () => {
    const app = await startCluster('at once', { SENSOR_MS: '150' });
    const known = await app.fork();
    await work(known, 2);
    expect(workDone(await scrapeWhole(known))).toBe(2);

    const young = await app.fork();
    await work(young, 1);
    const seen = await scrapeWhole(young);
    expect(workDone(seen)).toBe(3);
    expect(seen.sum('signalbox_workers')).toBe(2);
  });

  it('keep the last that a worker counted before it exits, however many series it has', async () => {
    const routes = 900;
    const app = await startCluster('at once', { ROUTES: String(routes) });
    const [leaving, staying] = [await app.fork(), await app.fork()];
    for (let i = 0; i < routes; i++) {
      const path = `/a/route/of/some/length/of/which/there/are/many/${i}`;
      await (await fetch(`${leaving.url}${path}`)).text();
    }
    await scrapeWhole(staying);
    await work(leaving, 4);

    const exited = app.exited(leaving);
    await fetch(`${leaving.url}/exit`);
    await exited;
    expect(workDone(await scrapeWhole(staying))).toBe(4);
  });

  it('keep what a killed worker had told of its own accord, unscraped', async () => {
    const app = await startCluster();
    const doomed = await app.fork();
    await work(doomed, 4);
    // What was on its way may have been written before the last request.
    await app.told(doomed);
    await app.told(doomed);

    const exited = app.exited(doomed);
    process.kill(doomed.pid, 'SIGKILL');
    await exited;

    expect(workDone(await scrapeWhole(app.primary))).toBe(4);
  });

  it('come without a stuck worker within a second, count it as last known, and are whole when it is back', async () => {
    const app = await startCluster();
    const [stuck, staying] = [await app.fork(), await app.fork()];
    await work(stuck, 4);
    await work(staying, 2);
    expect(workDone(await scrapeWhole(staying))).toBe(6);

    await fetch(`${stuck.url}/block/3000`);
    const back = work(stuck, 1).then(() => 'back');
    await work(staying, 1);
    const scraping = scrape(app.primary.url);
    expect(await Promise.race([scraping.then(() => 'scraped'), back])).toBe('scraped');

    const seen = await scraping;
    expect(workDone(seen)).toBe(7);
    expect(seen.sum('signalbox_workers_missing')).toBe(1);
    expect(seen.sum('signalbox_workers')).toBe(2);
    expect(seen.sum('signalbox_scrape_complete')).toBe(0);

    await back;
    expect(workDone(await scrapeWhole(staying))).toBe(8);
  });

  it('take the last word of a worker that closes, and do not wait for it again', async () => {
    const app = await startCluster();
    const [leaving, staying] = [await app.fork(), await app.fork()];
    await work(leaving, 4);

    await fetch(`${leaving.url}/close`);

    expect(workDone(await scrapeWhole(staying))).toBe(4);

    await fetch(`${leaving.url}/disconnect`);
    await expect.poll(async () => (await scrapeWhole(staying)).sum('signalbox_workers')).toBe(1);
    expect(workDone(await scrapeWhole(staying))).toBe(4);
  });

  it('keep what a worker counted that closes in the middle of telling, and lives on', async () => {
    const app = await startCluster('at once', { SENSOR_MS: '500' });
    const worker = await app.fork();
    await work(worker, 4);
    await fetch(`${worker.url}/close`);

    await setTimeout(1_500);
    expect(workDone(await scrapeWhole(app.primary))).toBe(4);
  });

  it.each([
    ['', {}],
    [', though its last word takes a while', { SENSOR_MS: '150' }],
  ])('go on where a worker closes and begins anew at once%s', async (_what, env) => {
    const app = await startCluster('at once', env);
    const worker = await app.fork();
    await work(worker, 4);
    await scrapeWhole(worker);
    await fetch(`${worker.url}/renew`);
    await work(worker, 2);

    expect(workDone(await scrapeWhole(worker))).toBe(6);
    await app.told(worker);
    expect(workDone(await scrapeWhole(worker))).toBe(6);
  });

  it('keep what was counted in one of several registries when it is closed', async () => {
    const app = await startCluster('at once', { APART: 'yes' });
    const worker = await app.fork();
    await fetch(`${worker.url}/apart`);
    const apart = async (): Promise<number> =>
      (await scrapeWhole(worker)).sum('http_requests_total', { route: '/apart' });
    expect(await apart()).toBe(2);

    await fetch(`${worker.url}/close-apart`);
    expect(await apart()).toBe(2);
    await app.told(worker);
    expect(await apart()).toBe(2);
  });

  it('only ever rise while workers come and go', async () => {
    const app = await startCluster();
    const staying = await app.fork();
    let leaving = await app.fork();
    const readings: number[] = [];
    const watch = new AbortController();
    const watching = (async () => {
      while (!watch.signal.aborted) {
        const seen = await tryScrape(staying);
        if (seen !== undefined) readings.push(workDone(seen));
      }
    })();

    for (let round = 0; round < 3; round++) {
      await work(leaving, 5);
      await work(staying, 1);
      const exited = app.exited(leaving);
      if (round % 2 === 0) process.kill(leaving.pid, 'SIGKILL');
      else await fetch(`${leaving.url}/exit`);
      await exited;
      leaving = await app.fork();
    }
    watch.abort();
    await watching;

    expect(readings.length).toBeGreaterThan(2);
    expect(readings).toEqual(readings.toSorted((a, b) => a - b));
  });

  it('are refused, rather than shown in part, while the primary does not answer', async () => {
    const app = await startCluster();
    const worker = await app.fork();
    await work(worker, 3);
    await scrapeWhole(worker);

    process.kill(app.primary.pid, 'SIGSTOP');
    const response = await assertNeverHangs(`${worker.url}/metrics`);
    process.kill(app.primary.pid, 'SIGCONT');

    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await response.json()).toMatchObject({ error: { type: 'metrics_incomplete' } });
    expect(workDone(await scrapeWhole(worker))).toBe(3);
  });

  it('are those of one worker, who says so, where the primary does not add up', async () => {
    const app = await startCluster('later');
    const [first, second] = [await app.fork(), await app.fork()];
    await work(first, 3);
    await work(second, 2);

    const alone = await scrape(first.url);
    expect(workDone(alone)).toBe(3);
    expect(alone.sum('signalbox_scrape_complete')).toBe(0);
    expect(alone.sum('signalbox_workers')).toBe(1);

    app.aggregate();
    expect(workDone(await scrapeWhole(first))).toBe(5);
    expect(workDone(await scrapeWhole(second))).toBe(5);
  });
});

describe('clusterMetrics', () => {
  it('may be called twice, and closed twice', async () => {
    const [first, second] = [clusterMetrics(), clusterMetrics()];

    expect(first.registry).toBe(second.registry);
    await first.close();
    await first.close();
    await second.close();
  });

  it.each([
    [{ timeoutMs: 0 }, 'clusterMetrics: "timeoutMs" must be a number above 0 and at most 700, got 0'],
    [{ timeoutMs: 5_000 }, 'clusterMetrics: "timeoutMs" must be a number above 0 and at most 700, got 5000'],
    [{ maxSeries: 0 }, 'clusterMetrics: "maxSeries" must be an integer of at least 2, got 0'],
  ])('refuses %j', (options, message) => {
    expect(() => clusterMetrics(options)).toThrow(message);
  });
});
