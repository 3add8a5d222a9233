import { describe, expect, it } from 'vitest';
import { visit } from './load.js';
import { INHERITED, becomesTrue, fixture, newPlace, pidOf, readyPids, startCluster } from './support.js';

describe('a socket that the manager inherited', { timeout: 60_000 }, () => {
  it('is what all workers serve', async () => {
    const cluster = await startCluster({ workers: 2, bind: INHERITED });
    const pids = new Set<number>();
    await becomesTrue(async () => pids.add(await pidOf(cluster.url)).size === 2, 'both have answered');
    const status = await cluster.status();
    expect([...pids].toSorted((a, b) => a - b)).toEqual(readyPids(status));
    expect(`http://${status.address}`).toBe(cluster.url);
    const seen = (await (await fetch(`${cluster.url}/env`)).json()) as object;
    expect(seen).not.toHaveProperty('PORT');
  });

  it('keeps those who come while nobody is there', async () => {
    const cluster = await startCluster({ workers: 1, bind: INHERITED });
    const [pid = 0] = readyPids(await cluster.status());
    cluster.write('behaviour.json', { failAtStart: true });
    process.kill(pid, 'SIGKILL');
    await cluster.said(/after 2 quick failures in a row/);
    const answer = pidOf(cluster.url);
    cluster.write('behaviour.json', {});
    expect(await answer).not.toBe(pid);
  });

  it('loses nobody by a reload', async () => {
    const cluster = await startCluster({ workers: 1, bind: INHERITED });
    const visitors = await visit(cluster.url, { ratePerSecond: 60, sockets: 5 });
    for (let count = 0; count < 2; count += 1) {
      expect(await cluster.reload()).toMatchObject({ outcome: 'done' });
    }
    await visitors.stop();
    expect(visitors.failures()).toEqual({});
    expect(visitors.answered).toBeGreaterThan(0);
  });

  it('must not be a Unix socket', async () => {
    const place = newPlace();
    const env = { INHERITED_PATH: place.path('http.sock') };
    const program = await place.spawn(['start', fixture('app.mjs'), '--bind', INHERITED], env);
    await program.exited;
    expect(program.stderr()).toMatch(
      /the program does not start: .* descriptor 5 is a Unix socket, which workers/,
    );
  });

  it('is asked for where there is none', async () => {
    const { code, stderr } = await newPlace().signalbox('start', fixture('app.mjs'), '--bind', 'fd:4');
    expect(code).toBe(1);
    expect(stderr).toMatch(/descriptor 4 is no socket to listen on; choose another address with "bind"/);
  });

  it('does not go with a manager in the background', async () => {
    const place = newPlace();
    const { code, stderr } = await place.signalbox(
      'start',
      fixture('app.mjs'),
      '--bind',
      INHERITED,
      '--daemon',
    );
    expect(code).toBe(2);
    expect(stderr).toMatch(/"bind" cannot be fd:3 with "daemon"/);
  });

  it('is not looked for by check-config, since it is there for start alone', async () => {
    const { code, stdout } = await newPlace().signalbox('check-config', fixture('app.mjs'), '--bind', 'fd:4');
    expect(stdout).toMatch(/address: fd:4/);
    expect(code).toBe(0);
  });
});
