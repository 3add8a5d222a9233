import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { visit } from './load.js';
import {
  becomesTrue,
  fixture,
  newPlace,
  pidOf,
  readyPids,
  startCluster,
  textOf,
  type RunningCluster,
} from './support.js';

describe('workers', { timeout: 90_000 }, () => {
  it('are replaced when they are killed, and others serve meanwhile', async () => {
    const cluster = await startCluster({ workers: 2 });
    const [victim = 0, survivor = 0] = readyPids(await cluster.status());
    process.kill(victim, 'SIGKILL');
    await becomesTrue(async () => readyOthers(await cluster.status(), victim) === 2, 'it is replaced');
    const status = await cluster.status();
    expect(readyPids(status)).toContain(survivor);
    expect(status.failures).toBe(1);
    expect(status.lastFailure?.reason).toBe('was ended by SIGKILL');
    expect((await fetch(cluster.url)).status).toBe(200);
  });

  it('say why they crashed', async () => {
    const cluster = await startCluster({ workers: 1 });
    await fetch(`${cluster.url}/throw`).catch(() => undefined);
    const line = await cluster.said(/worker 1 .* it is replaced/);
    expect(line.msg).toBe('worker 1 exited with code 1: Error: thrown by a request; it is replaced at once');
  });

  it('are started again at growing intervals while they keep crashing', async () => {
    const cluster = await startCluster({ workers: 1 });
    cluster.write('behaviour.json', { failAtStart: true });
    process.kill(readyPids(await cluster.status())[0] ?? 0, 'SIGKILL');
    await cluster.said(/after 3 quick failures in a row/);
    const delays = cluster
      .lines()
      .filter(({ msg }) => msg.includes('it is replaced'))
      .map(({ delayMs }) => Number(delayMs));
    expect(delays.slice(0, 3)).toEqual([
      0,
      expect.toSatisfy(between(200, 250)),
      expect.toSatisfy(between(400, 500)),
    ]);

    // A new version is not made to wait for it.
    cluster.write('behaviour.json', { version: 'mended' });
    expect(await cluster.reload()).toMatchObject({ outcome: 'done' });
    expect(await cluster.status()).toMatchObject({ workersReady: 1 });
  });

  it('are tried again where the system starts none, which ends nothing else', async () => {
    const place = newPlace();
    // More than the system passes on to a process.
    const preFork = `() => (existsSync('refuse') ? { LARGE: 'x'.repeat(1e6) } : undefined)`;
    place.write(
      'signalbox.config.mjs',
      `import { existsSync } from 'node:fs'; export default { hooks: { preFork: ${preFork} } };`,
    );
    const cluster = await startCluster({ place, workers: 2 });
    const [victim = 0, survivor = 0] = readyPids(await cluster.status());
    place.write('refuse', '');
    process.kill(victim, 'SIGKILL');
    await cluster.said(/a worker could not be started; it is tried again/);
    expect(await pidOf(cluster.url)).toBe(survivor);

    rmSync(place.path('refuse'));
    await becomesTrue(async () => readyOthers(await cluster.status(), victim) === 2, 'it is replaced');
  });

  it('are replaced when their event loop is blocked, and it is logged where', async () => {
    const cluster = await startCluster({ workers: 2, args: ['--stuck-after', '2s'] });
    const before = readyPids(await cluster.status());
    const blocked = fetch(`${cluster.url}/block`).catch(() => undefined);
    const line = await cluster.said(/the event loop of worker \d is blocked/);
    expect(line.msg).toMatch(/is blocked at\n {4}at blockTheLoop \(file:.*\/fixtures\/app\.mjs:\d+:\d+\)\n/);
    await blocked;
    await becomesTrue(async () => (await cluster.status()).workersReady === 2, 'it is replaced');
    const after = readyPids(await cluster.status());
    expect(after.filter((pid) => before.includes(pid))).toHaveLength(1);
    expect((await cluster.status()).lastFailure?.reason).toBe('was stuck and killed');
  });

  it('are replaced after their share of requests, one only when another is ready', async () => {
    const cluster = await startCluster({
      workers: 2,
      args: ['--max-requests', '20', '--max-requests-jitter', '5'],
    });
    const visitors = await visit(cluster.url, { ratePerSecond: 60, sockets: 0 });
    const pids = new Set<number>();
    let fewest = Number.POSITIVE_INFINITY;
    await becomesTrue(async () => {
      const status = await cluster.status();
      for (const pid of readyPids(status)) pids.add(pid);
      fewest = Math.min(fewest, status.workersReady);
      return pids.size >= 5;
    }, 'five workers have served');
    await visitors.stop();
    expect(visitors.failures()).toEqual({});
    expect(fewest).toBe(2);
    expect((await cluster.status()).failures).toBe(0);
  });

  it('are replaced when they have grown too large', async () => {
    const cluster = await startCluster({ workers: 1, args: ['--max-memory', '300mb'] });
    const [small = 0] = readyPids(await cluster.status());
    await fetch(`${cluster.url}/grow?mb=300`);
    await cluster.said(/worker 1 has grown too large, and is replaced/);
    await becomesTrue(async () => readyOthers(await cluster.status(), small) === 1, 'it is replaced');
  });

  it('are replaced at their age', async () => {
    const cluster = await startCluster({ workers: 1, args: ['--max-age', '2s'] });
    const [old = 0] = readyPids(await cluster.status());
    await cluster.said(/worker 1 is old, and is replaced/);
    await becomesTrue(async () => readyOthers(await cluster.status(), old) === 1, 'it is replaced');
  });

  it('stay when their replacement does not start', async () => {
    const place = newPlace();
    const cluster = await startCluster({ place, workers: 1, args: ['--max-age', '2s'] });
    const before = readyPids(await cluster.status());
    place.write('behaviour.json', { failAtStart: true });
    const line = await cluster.said(/goes on, since its replacement failed/);
    expect(line['delayMs']).toBeGreaterThan(0);
    expect(readyPids(await cluster.status())).toEqual(before);
  });

  it('become more on SIGTTIN and fewer on SIGTTOU, but never none', async () => {
    const cluster = await startCluster({ workers: 1, env: { SIGNALBOX_WORKERS: '3' } });
    expect(await workersAccordingTo(cluster.url)).toBe('1');
    cluster.program.signal('SIGTTIN');
    await becomesTrue(async () => (await cluster.status()).workersReady === 2, 'there are two');
    cluster.program.signal('SIGTTOU');
    await becomesTrue(async () => (await cluster.status()).workers.length === 1, 'there is one');
    // The one that stays is the one that came as the second.
    expect(await workersAccordingTo(cluster.url)).toBe('2');
    cluster.program.signal('SIGTTOU');
    await cluster.said(/the last worker stays/);
    expect((await cluster.status()).workersReady).toBe(1);
  });

  it('are started once each where more are asked for during the start', async () => {
    const place = newPlace();
    place.write('behaviour.json', { waitMs: 3_000 });
    const program = await place.spawn(['start', fixture('app.mjs'), '-w', '1', '-b', '127.0.0.1:0']);
    onTestFinished(() => program.kill().then(() => undefined));
    await becomesTrue(() => existsSync(place.path('waiting')), 'the first one starts');
    program.signal('SIGTTIN');
    await becomesTrue(async () => (await place.status()).workersReady === 2, 'there are two');
    expect((await place.status()).workers.map(({ worker }) => worker)).toEqual([1, 2]);
  });

  it('open their log files again on SIGUSR2', async () => {
    const place = newPlace();
    const file = place.path('app.log');
    const cluster = await startCluster({ place, workers: 2, env: { APP_LOG: file } });
    await fetch(cluster.url);
    renameSync(file, `${file}.1`);
    cluster.program.signal('SIGUSR2');
    await cluster.said(/log files are opened again/);
    await becomesTrue(async () => {
      await pidOf(cluster.url);
      return existsSync(file) && textOf(file).includes('visited');
    }, 'it is written to a new file');
  });

  it('go on where the file for what they print cannot be opened again', async () => {
    const place = newPlace();
    const output = place.path('output.log');
    place.write('signalbox.config.json', { outputFile: output });
    const program = await place.spawn(['start', fixture('app.mjs'), '-w', '1', '-b', '127.0.0.1:0']);
    onTestFinished(() => program.kill().then(() => undefined));
    await becomesTrue(() => existsSync(output) && textOf(output).includes('serve'), 'it serves');
    const before = await place.status();

    renameSync(output, `${output}.1`);
    mkdirSync(output);
    program.signal('SIGUSR2');
    await becomesTrue(() => textOf(`${output}.1`).includes('cannot be opened again'), 'it is said');
    expect(readyPids(await place.status())).toEqual(readyPids(before));
  });

  it('drain and end when the manager is killed', async () => {
    const place = newPlace();
    const exits = place.path('exits');
    const daemon = ['start', fixture('app.mjs'), '-w', '2', '-b', '127.0.0.1:0', '--daemon'];
    const program = await place.spawn(daemon, { APP_EXITS: exits });
    expect(await program.exited).toMatchObject({ code: 0 });
    const { pid, address, ...status } = await place.status();
    const pids = status.workers.map((worker) => worker.pid ?? 0);
    onTestFinished(() => [pid, ...pids].forEach(killIfThere));

    const slow = fetch(`http://${address}/slow?ms=1000`);
    await becomesTrue(
      async () => (await place.status()).workers.some(({ requests }) => requests > 0),
      'the request is under way',
    );
    process.kill(pid, 'SIGKILL');
    expect((await slow).status).toBe(200);
    await becomesTrue(() => existsSync(exits) && textOf(exits).split('\n').length === 3, 'both have ended');
    for (const worker of pids) expect(textOf(exits)).toContain(`${worker} 0\n`);
  });

  it('have their metrics added up, which no kill and no reload makes fall', async () => {
    const cluster = await startCluster({ workers: 2, env: { APP_METRICS: '1' } });
    for (let count = 0; count < 20; count += 1) await pidOf(cluster.url);
    await becomesTrue(async () => (await visits(cluster)) === 20, 'all are counted');
    process.kill(readyPids(await cluster.status())[0] ?? 0, 'SIGKILL');
    await becomesTrue(async () => (await cluster.status()).workersReady === 2, 'it is replaced');
    expect(await visits(cluster)).toBe(20);
    for (let count = 0; count < 5; count += 1) await pidOf(cluster.url);
    expect(await cluster.reload()).toMatchObject({ outcome: 'done' });
    expect(await visits(cluster)).toBe(25);
  });
});

describe('hooks', { timeout: 60_000 }, () => {
  it('are called in order, and what they throw stops nothing', async () => {
    const place = newPlace();
    place.write(
      'signalbox.config.js',
      `import { appendFileSync } from 'node:fs';
       const note = (name) => (event) => void appendFileSync('hooks', name + (event?.worker ?? event?.outcome ?? '') + ' ');
       const names = ['whenReady', 'workerReady', 'workerExit', 'preReload', 'postReload', 'preStop', 'stopped'];
       export default {
         hooks: {
           ...Object.fromEntries(names.map((name) => [name, note(name)])),
           preFork() { note('preFork')(); return { FROM_HOOK: 'yes' }; },
           workerStuck() { throw new Error('never called'); },
           whenReady: async () => { note('whenReady')(); throw new Error('in a hook'); },
         },
       };`,
    );
    place.write('package.json', { type: 'module' });
    const cluster = await startCluster({ place, workers: 1 });
    expect(await (await fetch(`${cluster.url}/env`)).json()).toMatchObject({ FROM_HOOK: 'yes' });
    await cluster.said(/the hook whenReady failed/);
    await cluster.reload();
    await cluster.program.stop(20_000);
    expect(textOf(place.path('hooks'))).toBe(
      'preFork workerReady1 whenReady preReload preFork workerReady2 workerExit1 postReloaddone preStop workerExit2 stopped ',
    );
  });
});

describe('the hook preStop', { timeout: 60_000 }, () => {
  it.each([
    ['is waited for', [], true],
    ['is not waited for where it is to be quick', ['--quick'], false],
  ])('%s', async (_what, args, isDone) => {
    const place = newPlace();
    place.write(
      'signalbox.config.mjs',
      `import { setTimeout as wait } from 'node:timers/promises';
       import { writeFileSync } from 'node:fs';
       const preStop = async () => { await wait(3_000); writeFileSync('told', ''); };
       export default { hooks: { preStop } };`,
    );
    await startCluster({ place, workers: 1 });
    expect(await place.signalbox('stop', ...args)).toMatchObject({ code: 0 });
    expect(existsSync(place.path('told'))).toBe(isDone);
  });
});

function readyOthers(status: Parameters<typeof readyPids>[0], than: number): number {
  return readyPids(status).filter((pid) => pid !== than).length;
}

function between(least: number, most: number): (value: unknown) => boolean {
  return (value) => Number(value) >= least && Number(value) <= most;
}

/** How often `/` was asked for, as the metrics say it; `undefined` while a worker does not answer. */
async function visits({ url }: RunningCluster): Promise<number | undefined> {
  const response = await fetch(`${url}/metrics`, { headers: { connection: 'close' } });
  const text = await response.text();
  if (!/^signalbox_scrape_complete(?:\{[^}]*\})? 1$/m.test(text)) return undefined;
  const counts = text.matchAll(/^http_requests_total\{(?=[^}]*route="\/")[^}]*\} (\d+)/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

/** How many workers there are to be, as the one that answers was told. */
async function workersAccordingTo(url: string): Promise<unknown> {
  const response = await fetch(`${url}/env`, { headers: { connection: 'close' } });
  return ((await response.json()) as Record<string, unknown>)['SIGNALBOX_WORKERS'];
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended, as it should.
  }
}
