import { readFileSync } from 'node:fs';
import { delimiter } from 'node:path';
import { startProgram, type Program } from '@signalbox/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { becomesTrue, fixture, newPlace, readyPids, startCluster, type Place } from './support.js';

describe('under systemd', { timeout: 60_000 }, () => {
  it('the manager says when it is ready, reloads and stops, and that it is alive', async () => {
    const place = newPlace();
    const systemd = await listenForNotifications(place);
    const cluster = await startCluster({
      place,
      workers: 1,
      env: {
        NOTIFY_SOCKET: place.path('notify'),
        // Every half second.
        WATCHDOG_USEC: '1000000',
        // Where systemd is not installed, there is one that stands in for it.
        PATH: [process.env['PATH'], fixture('bin')].join(delimiter),
      },
    });
    await systemd.waitFor(/^READY=1 STATUS=1 of 1 workers ready/m);
    await systemd.waitFor(/^WATCHDOG=1/m);

    await cluster.reload();
    await systemd.waitFor(/^RELOADING=1 MONOTONIC_USEC=\d+ STATUS=.*$/m);
    await systemd.waitFor(/^READY=1 STATUS=1 of 1 workers ready; last reload: done/m);
    cluster.write('behaviour.json', { failAtStart: true });
    await cluster.reload();
    await systemd.waitFor(/^READY=1 STATUS=1 of 1 workers ready; last reload: rolled back/m);

    cluster.program.signal('SIGTERM');
    await systemd.waitFor(/^STOPPING=1/m);
    const told = systemd.stdout().match(/^(READY|RELOADING|STOPPING)/gm);
    expect(told).toEqual(['READY', 'RELOADING', 'READY', 'RELOADING', 'READY', 'STOPPING']);
  });

  it('workers are not taken for the service', async () => {
    const place = newPlace();
    const systemd = await listenForNotifications(place);
    const env = {
      NOTIFY_SOCKET: place.path('notify'),
      PATH: `${process.env['PATH']}${delimiter}${fixture('bin')}`,
    };
    const { url } = await startCluster({ place, workers: 1, env });
    await systemd.waitFor(/^READY=1/m);
    expect(await (await fetch(`${url}/env`)).json()).not.toHaveProperty('NOTIFY_SOCKET');
  });
});

describe('as the first process of a container', { timeout: 60_000 }, () => {
  it('the manager drains on SIGTERM, and collects its workers', async () => {
    const place = newPlace();
    const args = ['start', fixture('app.mjs'), '-w', '1', '-b', '127.0.0.1:0'];
    const manager = await startFirst(place, [fixture('../../bin/signalbox.js'), ...args]);
    const [, address = ''] = await manager.program.waitFor(/workers serve (\S+)"/);
    const before = await place.status();
    await fetch(`http://${address}/throw`).catch(() => undefined);
    await becomesTrue(async () => (await place.status()).failures === 1, 'the worker has crashed');
    await becomesTrue(async () => (await place.status()).workersReady === 1, 'it is replaced');
    expect(readyPids(await place.status())).not.toEqual(readyPids(before));
    expect(zombiesOf(manager.pid)).toEqual([]);

    const slow = fetch(`http://${address}/slow?ms=1000`);
    await becomesTrue(
      async () => (await place.status()).workers.some(({ requests }) => requests > 0),
      'the request is under way',
    );
    process.kill(manager.pid, 'SIGTERM');
    expect((await slow).status).toBe(200);
    expect((await manager.program.exited).code).toBe(0);
  });

  it('a program without a manager drains on SIGTERM', async () => {
    const place = newPlace();
    const { program, pid } = await startFirst(place, [fixture('app.mjs')], {
      APP_PORT: '0',
    });
    const [, url = ''] = await program.waitFor(/(http:\S+)\n/);
    const slow = fetch(`${url}/slow?ms=1000`);
    expect((await fetch(url)).status).toBe(200);
    process.kill(pid, 'SIGTERM');
    expect((await slow).status).toBe(200);
    expect((await program.exited).code).toBe(0);
  });
});

async function listenForNotifications(place: Place): Promise<Program> {
  const program = await startProgram('perl', [fixture('notify-socket.pl'), place.path('notify')], {
    ready: /^listening$/m,
  });
  onTestFinished(() => program.kill().then(() => undefined));
  return program;
}

/**
 * Starts a program as process 1 of a namespace of its own, which is what a container is to it. Where the system does not
 * let this process make one, it is an ordinary process.
 */
async function startFirst(
  place: Place,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ program: Program; pid: number }> {
  const namespace = ['--user', '--map-root-user', '--pid', '--fork', '--mount-proc'];
  const canUnshare = await canRun('unshare', [...namespace, 'true']);
  const [command = '', ...words] = [
    ...(canUnshare ? ['unshare', ...namespace] : []),
    process.execPath,
    ...args,
  ];
  const program = await startProgram(command, words, {
    cwd: place.folder,
    env: { VITEST: undefined, ...env },
  });
  onTestFinished(() => program.kill().then(() => undefined));
  if (!canUnshare) return { program, pid: program.pid };
  await becomesTrue(() => childrenOf(program.pid).length === 1, 'it has forked');
  return { program, pid: childrenOf(program.pid)[0] ?? 0 };
}

async function canRun(command: string, args: readonly string[]): Promise<boolean> {
  try {
    return (await (await startProgram(command, args)).exited).code === 0;
  } catch {
    return false;
  }
}

function childrenOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return children === '' ? [] : children.split(' ').map(Number);
}

function zombiesOf(pid: number): number[] {
  return childrenOf(pid).filter((child) => / Z /.test(readFileSync(`/proc/${child}/stat`, 'utf8')));
}
