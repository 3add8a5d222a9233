import { appendFileSync, existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '@signalbox/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { visit } from './load.js';
import { becomesTrue, fixture, newPlace, readyPids, startCluster, textOf } from './support.js';
import type { ReloadOutcome } from '../src/index.js';

describe('a rolling reload', { timeout: 90_000 }, () => {
  it('replaces all workers and fails no request, over kept-alive and new connections', async () => {
    const cluster = await startCluster({ workers: 2 });
    const before = readyPids(await cluster.status());
    const visitors = await visit(cluster.url, { ratePerSecond: 60, sockets: 20 });
    await becomesTrue(() => visitors.answered > 50 && visitors.openSockets === 20, 'the visitors are there');

    for (const generation of [2, 3]) {
      const { code, stdout } = await cluster.signalbox('reload');
      expect({ code, stdout }).toEqual({
        code: 0,
        stdout: expect.stringMatching(
          /^reload done, new workers ready after \d+ ms, the old ones gone after \d+ ms\n$/,
        ) as string,
      });
      expect(await cluster.status()).toMatchObject({ generation, workersReady: 2, failures: 0 });
    }
    const answered = visitors.answered;
    await becomesTrue(() => visitors.openSockets === 20, 'every socket is back');
    await becomesTrue(() => visitors.answered > answered + 20, 'requests are answered');
    await visitors.stop();
    expect(visitors.failures()).toEqual({});
    expect(Object.keys(visitors.socketEnds)).toEqual(['closed']);

    const after = readyPids(await cluster.status());
    expect(after).toHaveLength(2);
    expect(after.filter((pid) => before.includes(pid))).toEqual([]);
  });

  it('has new workers run the program as it is on the disk by then, on SIGHUP', async () => {
    const cluster = await startCluster({ workers: 1 });
    expect(await versionOf(cluster.url)).toBe('first');
    cluster.write('behaviour.json', { version: 'second' });
    cluster.program.signal('SIGHUP');
    await cluster.said(/^reload done/);
    expect(await versionOf(cluster.url)).toBe('second');
  });

  it('never puts a version in place that crashes at start', async () => {
    const cluster = await startCluster({ workers: 2 });
    const before = readyPids(await cluster.status());
    cluster.write('behaviour.json', { version: 'broken', failAtStart: true });

    const { code, stdout, stderr } = await cluster.signalbox('reload');
    expect({ code, stdout }).toEqual({ code: 8, stdout: '' });
    expect(stderr).toMatch(
      /^signalbox: reload rolled back, the workers from before go on: worker \d exited with code 1 before it listened: Error: this version does not start\n$/,
    );
    await cluster.said(/^reload rolled back, the workers from before go on/);
    const status = await cluster.status();
    expect(status).toMatchObject({ generation: 1, workersReady: 2, lastReload: { outcome: 'rolled_back' } });
    expect(readyPids(status)).toEqual(before);
    expect((await cluster.signalbox('status')).stdout).toMatch(
      /^last reload .*rolled back.*does not start$/m,
    );

    cluster.write('behaviour.json', { version: 'mended' });
    expect(await cluster.reload()).toMatchObject({ outcome: 'done' });
    expect(await versionOf(cluster.url)).toBe('mended');
  });

  it('never puts a version in place that crashes just after it listened', async () => {
    const cluster = await startCluster({ workers: 1 });
    const before = readyPids(await cluster.status());
    cluster.write('behaviour.json', { failAfterMs: 50 });
    const { outcome, reason } = await cluster.reload();
    expect(outcome).toBe('rolled_back');
    expect(reason).toContain('Error: this version does not stay');
    const status = await cluster.status();
    expect(readyPids(status)).toEqual(before);
    expect(status.failures).toBe(0);
  });

  it('is over when those are gone, too, that started well beside one that did not', async () => {
    const place = newPlace();
    const killThird = "({ worker, pid }) => { if (worker === 3) process.kill(pid, 'SIGKILL'); }";
    place.write('signalbox.config.mjs', `export default { hooks: { workerReady: ${killThird} } };`);
    await startCluster({ place, workers: 2 });
    expect(await place.reload()).toMatchObject({ outcome: 'rolled_back' });
    expect((await place.status()).workers.map(({ worker }) => worker)).toEqual([1, 2]);
  });

  it('does not have workers wait for a load balancer, which stopping does', async () => {
    const env = { APP_DRAIN: '{"readinessDelayMs":3000}' };
    const cluster = await startCluster({ workers: 1, env });
    const { readyMs, durationMs = Number.NaN } = await cluster.reload();
    expect(durationMs - readyMs).toBeLessThan(3_000);

    const start = performance.now();
    cluster.program.signal('SIGTERM');
    await cluster.program.exited;
    expect(performance.now() - start).toBeGreaterThan(3_000);
  });

  it('is done once more for all who ask while one is under way', async () => {
    const cluster = await startCluster({ workers: 1 });
    const outcomes = await Promise.all([1, 2, 3].map(() => cluster.reload()));
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(['done', 'done', 'done']);
    // The second and the third share one.
    expect(outcomes[2]).toEqual(outcomes[1]);
    expect(await cluster.status()).toMatchObject({ generation: 3 });
  });

  it('can be asked for by the program itself, which sees the workers, too', async () => {
    const cluster = await startCluster({ workers: 2 });
    const seen = (await (await fetch(`${cluster.url}/workers`)).json()) as { workers: { state: string }[] };
    expect(seen.workers.map(({ state }) => state)).toEqual(['ready', 'ready']);

    const response = await fetch(`${cluster.url}/reload`, { method: 'POST' });
    expect((await response.json()) as ReloadOutcome).toMatchObject({ outcome: 'done' });
    await cluster.said(/^reload done/);
    expect(await cluster.status()).toMatchObject({ generation: 2 });
  });

  it('may be asked about by many at the same time, which Node takes for no leak', async () => {
    const { url, program } = await startCluster({ workers: 1 });
    const asked = Array.from({ length: 20 }, async () => (await fetch(`${url}/workers`)).status);
    expect(await Promise.all(asked)).toEqual(Array(20).fill(200));
    await program.kill();
    expect(program.output()).not.toContain('MaxListenersExceededWarning');
  });

  it.each(['signalbox.config.cjs', 'signalbox.config.mjs'])('reads %s again', async (file) => {
    const place = newPlace();
    const write = (env: object): void => {
      const exported = file.endsWith('.cjs') ? 'module.exports =' : 'export default';
      place.write(file, `${exported} ${JSON.stringify({ env })};`);
    };
    write({ FROM_FILE: 'first' });
    const cluster = await startCluster({ place, workers: 1 });
    write({ FROM_FILE: 'second' });
    expect(await cluster.reload()).toMatchObject({ outcome: 'done' });
    expect(await (await fetch(`${cluster.url}/env`)).json()).toMatchObject({ FROM_FILE: 'second' });
  });

  it('calls the hooks of the new file once it has read it', async () => {
    const place = newPlace();
    const write = (version: string): void => {
      const hooks = ['workerReady', 'preReload', 'postReload', 'preStop'].map(
        (name) => `${name}: () => console.log('hook ${name} ${version}')`,
      );
      place.write('signalbox.config.mjs', `export default { hooks: { ${hooks.join(', ')} } };`);
    };
    write('first');
    const { program } = await startCluster({ place, workers: 1 });
    write('second');
    expect(await place.reload()).toMatchObject({ outcome: 'done' });
    await place.signalbox('stop');
    expect(program.stdout().match(/hook .*/g)).toEqual([
      'hook workerReady first',
      'hook preReload first',
      'hook workerReady second',
      'hook postReload second',
      'hook preStop second',
    ]);
  });

  it('reads the file of settings again, and rolls back when that is wrong', async () => {
    const place = newPlace();
    place.write('signalbox.config.json', { env: { FROM_FILE: 'first' } });
    const cluster = await startCluster({ place, workers: 1 });
    const fromFile = async (): Promise<unknown> =>
      ((await (await fetch(`${cluster.url}/env`)).json()) as { FROM_FILE: string }).FROM_FILE;
    expect(await fromFile()).toBe('first');

    place.write('signalbox.config.json', { env: { FROM_FILE: 'second' } });
    expect(await cluster.reload()).toMatchObject({ outcome: 'done' });
    expect(await fromFile()).toBe('second');

    place.write('signalbox.config.json', { wrkers: 3 });
    const { outcome, reason } = await cluster.reload();
    expect(outcome).toBe('rolled_back');
    expect(reason).toContain('"wrkers" is not an option; did you mean "workers"?');
    expect(await fromFile()).toBe('second');
  });

  it('has new workers judged by their own times, and old ones by theirs', async () => {
    const place = newPlace();
    place.write('signalbox.config.json', { beatMs: 100, stuckAfterMs: 200 });
    const cluster = await startCluster({ place, workers: 1 });
    place.write('signalbox.config.json', { beatMs: 60_000, stuckAfterMs: 120_000 });
    expect(await cluster.reload()).toMatchObject({ outcome: 'done' });
    const pids = readyPids(await cluster.status());

    // Longer than one could have been silent before.
    await delay(7_000);
    const status = await cluster.status();
    expect(status.failures).toBe(0);
    expect(readyPids(status)).toEqual(pids);
  });

  it('waits for the start where it is asked for meanwhile, so that the newest version is what stays', async () => {
    const place = newPlace();
    const bind = `127.0.0.1:${await freePort()}`;
    place.write('behaviour.json', { version: 'first', waitMs: 3_000 });
    const program = await place.spawn(['start', fixture('app.mjs'), '-w', '1', '-b', bind]);
    onTestFinished(() => program.kill().then(() => undefined));
    await becomesTrue(() => existsSync(place.path('waiting')), 'the first version is read');
    place.write('behaviour.json', { version: 'second' });

    expect(await place.reload()).toMatchObject({ outcome: 'done' });
    expect(await versionOf(`http://${bind}`)).toBe('second');
    expect(await place.status()).toMatchObject({ generation: 2, workersReady: 1, state: 'ready' });
    expect((await place.status()).workers).toHaveLength(1);
  });

  it('may put another program in place, which the status names', async () => {
    const place = newPlace();
    for (const name of ['first', 'second'])
      place.write(`${name}.mjs`, `export * from ${JSON.stringify(fixture('app.mjs'))};`);
    place.write('signalbox.config.json', { entry: 'first.mjs' });
    const program = await place.spawn(['start', '-w', '1', '-b', '127.0.0.1:0']);
    onTestFinished(() => program.kill().then(() => undefined));
    await program.waitFor(/workers? serve/, 30_000);
    place.write('signalbox.config.json', { entry: 'second.mjs' });
    expect(await place.reload()).toMatchObject({ outcome: 'done' });
    expect((await place.status()).entry).toBe(place.path('second.mjs'));
  });

  it('replaces a worker that crashes meanwhile by one with the settings that serve', async () => {
    const place = newPlace();
    place.write('first.mjs', `export * from ${JSON.stringify(fixture('app.mjs'))};`);
    place.write('silent.mjs', 'setInterval(() => {}, 1_000);');
    place.write('signalbox.config.json', { entry: 'first.mjs', readyTimeoutMs: 8_000 });
    const bind = `127.0.0.1:${await freePort()}`;
    const program = await place.spawn(['start', '-w', '1', '-b', bind]);
    onTestFinished(() => program.kill().then(() => undefined));
    await program.waitFor(/workers? serve/, 30_000);
    const [old = 0] = readyPids(await place.status());

    place.write('signalbox.config.json', { entry: 'silent.mjs', readyTimeoutMs: 8_000 });
    const reloaded = place.reload();
    await becomesTrue(async () => (await place.status()).workers.length === 2, 'a new one is started');
    process.kill(old, 'SIGKILL');
    await becomesTrue(
      async () => {
        const { failures, workersReady } = await place.status();
        return failures === 1 && workersReady === 1;
      },
      'the old one is replaced',
      5_000,
    );
    expect(await versionOf(`http://${bind}`)).toBe('first');
    expect(await reloaded).toMatchObject({ outcome: 'rolled_back' });
    expect(await place.status()).toMatchObject({ generation: 1, workersReady: 1, failures: 1 });
  });

  it('that is rolled back leaves as many workers wanted as there were', async () => {
    const place = newPlace();
    place.write('signalbox.config.json', { workers: 1 });
    const program = await place.spawn(['start', fixture('app.mjs'), '-b', '127.0.0.1:0']);
    onTestFinished(() => program.kill().then(() => undefined));
    await program.waitFor(/workers? serve/, 30_000);
    program.signal('SIGTTIN');
    await becomesTrue(async () => (await place.status()).workersReady === 2, 'there are two');

    place.write('signalbox.config.json', { workers: 3 });
    place.write('behaviour.json', { failAtStart: true });
    expect(await place.reload()).toMatchObject({ outcome: 'rolled_back' });
    expect(await place.status()).toMatchObject({ workersWanted: 2, workersReady: 2 });
  });

  it('follows a change of the program where it is told to watch', async () => {
    const place = newPlace();
    place.write('app.mjs', `export * from ${JSON.stringify(fixture('app.mjs'))};`);
    const cluster = await startCluster({ place, workers: 1, app: place.path('app.mjs'), args: ['--reload'] });
    place.write('behaviour.json', { version: 'second' });
    appendFileSync(place.path('app.mjs'), '\n// changed\n');
    await cluster.said(/^reload done/);
    expect(await versionOf(cluster.url)).toBe('second');
  });

  it('is of no concern to the files that the manager writes in a folder that is watched', async () => {
    const place = newPlace();
    place.write('app.mjs', `export * from ${JSON.stringify(fixture('app.mjs'))};`);
    onTestFinished(() => place.signalbox('stop', '--quick').then(() => undefined));
    const args = ['--workers', '1', '--bind', 'unix:app.sock', '--reload', '--daemon'];
    const { code } = await place.signalbox('start', 'app.mjs', ...args);
    expect(code).toBe(0);
    appendFileSync(place.path('app.mjs'), '\n// changed\n');
    const log = (): string => textOf(place.path('signalbox.log'));
    await becomesTrue(() => log().includes('"reload done'), 'the change is followed');
    // Longer than the moment for which files have to be left alone.
    await delay(600);
    expect(log().match(/reloading: new workers first/g)).toHaveLength(1);
  });
});

async function versionOf(url: string): Promise<string> {
  const response = await fetch(url, { headers: { connection: 'close' } });
  return ((await response.json()) as { version: string }).version;
}
