import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { freePort } from '@signalbox/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { becomesTrue, fixture, newPlace, pidOf, readyPids, startCluster, textOf } from './support.js';

const NOBODY = { uid: 65_534, gid: 65_534 };

// Processes take their time to start where the machine has other work.
describe('signalbox start', { timeout: 60_000 }, () => {
  it('runs workers on one address, and keeps its process id in a file', async () => {
    const cluster = await startCluster({ workers: 2 });
    expect(textOf(cluster.pidFile)).toBe(`${cluster.program.pid}\n`);

    const status = await cluster.status();
    expect(status).toMatchObject({ pid: cluster.program.pid, state: 'ready', workersReady: 2 });
    expect(`http://${status.address}`).toBe(cluster.url);
    expect(readyPids(status)).toContain(await pidOf(cluster.url));
    const shown = await cluster.signalbox('status');
    expect(shown).toMatchObject({ code: 0, stderr: '' });
    expect(shown.stdout).toMatch(/^workers {3}2 of 2 ready, generation 1$/m);
    const { stdout } = await cluster.signalbox('status', '--json');
    expect(JSON.parse(stdout)).toMatchObject({
      pid: cluster.program.pid,
      workers: [{ worker: 1 }, { worker: 2 }],
    });
  });

  it('gives workers their arguments, the address and the level of logging', async () => {
    const { url } = await startCluster({
      workers: 1,
      args: ['--log-level', 'debug', '--', '--verbose', 'x'],
    });
    const { port } = new URL(url);
    const seen = await (await fetch(`${url}/env`)).json();
    // The port that was asked for, so that all workers ask for the same.
    expect(Number(port)).toBeGreaterThan(0);
    expect(seen).toMatchObject({
      HOST: '127.0.0.1',
      PORT: '0',
      LOG_LEVEL: 'debug',
      argv: ['--verbose', 'x'],
    });
  });

  it('has the first server that does listen take the address', async () => {
    const place = newPlace();
    place.write('behaviour.json', { failToAttach: true });
    const bind = `127.0.0.1:${await freePort()}`;
    const { url } = await startCluster({ place, workers: 1, bind, args: ['--ready-timeout', '10s'] });
    expect(url).toBe(`http://${bind}`);
    expect((await fetch(url)).status).toBe(200);
  });

  it('runs a program that knows nothing of it', async () => {
    const port = await freePort();
    const { url } = await startCluster({ app: 'plain.mjs', workers: 2, bind: `127.0.0.1:${port}` });
    expect(url).toBe(`http://127.0.0.1:${port}`);
    expect(await (await fetch(url)).text()).toBe('plain');
  });

  it('listens on a Unix socket, whose file goes with it', async () => {
    const place = newPlace();
    const socket = place.path('app.sock');
    // As a server leaves it that was killed.
    place.write(
      'leave.mjs',
      `import { createServer } from 'node:net';
      createServer().listen(${JSON.stringify(socket)}, () => process.kill(process.pid, 'SIGKILL'));`,
    );
    await once(spawn(process.execPath, [place.path('leave.mjs')]), 'exit');
    expect(existsSync(socket)).toBe(true);

    const cluster = await startCluster({
      place,
      workers: 2,
      bind: `unix:${socket}`,
      args: ['--socket-mode', '660'],
    });
    expect(cluster.url).toBe(`unix:${socket}`);
    // Not statSync: after a socket, `require` would follow no links in this process.
    expect((await stat(socket)).mode & 0o777).toBe(0o660);
    expect(await askSocket(socket)).toContain('"version":"first"');

    await cluster.signalbox('reload');
    expect(await askSocket(socket)).toContain('"version":"first"');
    await cluster.program.stop(10_000);
    expect(existsSync(socket)).toBe(false);
  });

  it('takes the path of a Unix socket from the folder that it is started in', async () => {
    const place = newPlace();
    const cluster = await startCluster({ place, bind: 'unix:app.sock' });
    expect(cluster.url).toBe(`unix:${place.path('app.sock')}`);
    expect(await askSocket(place.path('app.sock'))).toContain('"version":"first"');
  });

  it('goes to the background and says so once the workers serve', async () => {
    const place = newPlace();
    const started = await place.signalbox('start', fixture('app.mjs'), '-w', '2', '-b', '127.0.0.1:0', '-D');
    onTestFinished(() => place.signalbox('stop', '--quick').then(() => undefined));
    expect(started).toMatchObject({ code: 0, stderr: '' });
    const [, pid = '', address = ''] =
      /^process (\d+) serves (\S+) with 2 workers/.exec(started.stdout) ?? [];
    expect((await place.status()).pid).toBe(Number(pid));
    expect((await fetch(`http://${address}`)).status).toBe(200);

    expect(await place.signalbox('stop')).toMatchObject({ code: 0, stdout: `process ${pid} has stopped\n` });
    expect(textOf(place.path('signalbox.log'))).toContain('all workers are gone');
  });

  it('warns when a shell started it, which would keep SIGTERM to itself', async () => {
    const place = newPlace();
    const bin = `${process.execPath} ${fixture('../../bin/signalbox.js')} start ${fixture('app.mjs')} -w 1 -b 127.0.0.1:0`;
    const shell = spawn('/bin/sh', ['-c', `${bin}; exit $?`], { cwd: place.folder, env: process.env });
    onTestFinished(() => place.signalbox('stop', '--quick').then(() => undefined));
    let output = '';
    shell.stdout.on('data', (chunk) => (output += String(chunk)));
    await becomesTrue(() => output.includes('workers serve'), 'the workers serve');
    expect(output).toContain('this process was started by sh, which does not pass SIGTERM on');
    await place.signalbox('stop');
  });
});

describe('signalbox stop', { timeout: 60_000 }, () => {
  it('has workers answer what is under way, and removes its files', async () => {
    const cluster = await startCluster();
    const slow = fetch(`${cluster.url}/slow?ms=1500`);
    await becomesTrue(async () => requestsOf(await cluster.status()) > 0, 'the request is under way');

    const stopped = await cluster.signalbox('stop');
    expect(stopped).toMatchObject({ code: 0, stdout: `process ${cluster.program.pid} has stopped\n` });
    expect((await slow).status).toBe(200);
    expect(await cluster.program.exited).toEqual({ code: 0, signal: null });
    expect(existsSync(cluster.pidFile)).toBe(false);
    expect(existsSync(`${cluster.pidFile}.sock`)).toBe(false);
  });

  it('ends the manager and itself, whatever the file of settings has opened in them', async () => {
    const place = newPlace();
    place.write('signalbox.config.mjs', 'setInterval(() => {}, 1_000); export default {};');
    const cluster = await startCluster({ place });
    expect(await cluster.signalbox('stop')).toMatchObject({ code: 0 });
    expect(await cluster.program.exited).toEqual({ code: 0, signal: null });
  });

  it.each(['SIGINT', 'SIGQUIT', 'stop --quick'])('drops what is under way on %s', async (how) => {
    const cluster = await startCluster();
    const slow = fetch(`${cluster.url}/slow?ms=20000`);
    const dropped = expect(slow).rejects.toThrow('fetch failed');
    await becomesTrue(async () => requestsOf(await cluster.status()) > 0, 'the request is under way');
    if (how === 'stop --quick') expect((await cluster.signalbox('stop', '--quick')).code).toBe(0);
    // As a terminal does, which tells the whole group.
    else cluster.program.signalAll(how as NodeJS.Signals);
    await dropped;
    expect((await cluster.program.exited).code).toBe(0);
  });

  it('kills a worker that does not drain in time, and says so', async () => {
    const cluster = await startCluster({ workers: 1, args: ['--drain-timeout', '1s'] });
    const slow = fetch(`${cluster.url}/slow?ms=20000`);
    const dropped = expect(slow).rejects.toThrow('fetch failed');
    await becomesTrue(async () => requestsOf(await cluster.status()) > 0, 'the request is under way');
    expect((await cluster.signalbox('stop')).code).toBe(0);
    await dropped;
    await cluster.said(/^worker 1 was killed: it had not ended within 1000 ms$/);
  });

  it('drains when a service manager tells every process of the group', async () => {
    const cluster = await startCluster({ workers: 2 });
    const slow = fetch(`${cluster.url}/slow?ms=1500`);
    await becomesTrue(async () => requestsOf(await cluster.status()) > 0, 'the request is under way');
    cluster.program.signalAll('SIGTERM');
    expect((await slow).status).toBe(200);
    expect((await cluster.program.exited).code).toBe(0);
  });
});

describe('a command that cannot be carried out', { timeout: 60_000 }, () => {
  it('exits with 3 when no manager runs', async () => {
    const place = newPlace();
    for (const command of ['stop', 'reload', 'status']) {
      const { code, stderr } = await place.signalbox(command);
      expect({ code, stderr }).toEqual({
        code: 3,
        stderr: `signalbox: no manager runs: there is no pid file ${place.pidFile}\n`,
      });
    }
    place.write('signalbox.pid', `${await deadPid()}\n`);
    expect((await place.signalbox('stop')).stderr).toMatch(/names process \d+, which is gone\n$/);
  });

  it('replaces a stale pid file', async () => {
    const place = newPlace();
    place.write('signalbox.pid', `${await deadPid()}\n`);
    const { program } = await startCluster({ place, workers: 1 });
    expect(textOf(place.pidFile)).toBe(`${program.pid}\n`);
  });

  it('exits with 4 when a manager runs already, or another program whose pid file it is', async () => {
    const cluster = await startCluster({ workers: 1 });
    const again = await cluster.signalbox('start', fixture('app.mjs'));
    expect(again.code).toBe(4);
    expect(again.stderr).toMatch(
      /^signalbox: a manager already runs here .*; stop it first, or choose another pid file\n$/,
    );
    expect((await fetch(cluster.url)).status).toBe(200);

    const place = newPlace();
    place.write('signalbox.pid', `${process.pid}\n`);
    const { code, stderr } = await place.signalbox('start', fixture('app.mjs'));
    expect({ code, stderr }).toEqual({
      code: 4,
      stderr: `signalbox: ${place.pidFile} names process ${process.pid}, which runs; stop it first, or choose another pid file\n`,
    });
    expect(textOf(place.pidFile)).toBe(`${process.pid}\n`);
  });

  it('exits with 5 when the port is in use', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const place = newPlace();
    const { code, stderr } = await place.signalbox('start', fixture('app.mjs'), '-b', `127.0.0.1:${port}`);
    expect({ code, stderr }).toEqual({
      code: 5,
      stderr: `signalbox: port ${port} on 127.0.0.1 is already in use; choose another address with "bind"\n`,
    });
    expect(existsSync(place.pidFile)).toBe(false);
  });

  it('exits with 6 when the program is missing', async () => {
    const place = newPlace();
    const { code, stderr } = await place.signalbox('start', 'dist/main.js');
    expect({ code, stderr }).toEqual({
      code: 6,
      stderr: `signalbox: there is no file ${place.path('dist/main.js')} to start\n`,
    });
  });

  it('exits with 7 without the permission to write the pid file, or to read the program', async () => {
    const place = newPlace(NOBODY);
    const closed = newPlace();
    chmodSync(closed.folder, 0o755);
    place.write('secret.mjs', '');
    chmodSync(place.path('secret.mjs'), 0o000);
    const asNobody = async (...args: string[]): Promise<string> => {
      const program = await place.spawn(args);
      const { code } = await program.exited;
      return `${code} ${program.stderr()}`;
    };

    expect(await asNobody('start', 'secret.mjs')).toBe(
      `7 signalbox: no permission to read ${place.path('secret.mjs')}\n`,
    );
    const pidFile = closed.path('x.pid');
    place.write('app.mjs', '');
    chmodSync(place.path('app.mjs'), 0o644);
    expect(await asNobody('start', 'app.mjs', '-p', pidFile)).toBe(
      `7 signalbox: no permission to create the control socket ${pidFile}.sock\n`,
    );
  });

  it('exits with 9 when the program does not start', async () => {
    const place = newPlace();
    place.write('behaviour.json', { failAtStart: true });
    const { code, stderr } = await place.signalbox(
      'start',
      fixture('app.mjs'),
      '-w',
      '2',
      '-b',
      '127.0.0.1:0',
    );
    expect(code).toBe(9);
    expect(stderr).toMatch(
      /^signalbox: the program does not start: worker \d exited with code 1 before it listened: Error: this version does not start$/m,
    );
    expect(existsSync(place.pidFile)).toBe(false);

    // The one in the background says so to the one in the foreground.
    const daemon = await place.signalbox('start', fixture('app.mjs'), '-w', '1', '-b', '127.0.0.1:0', '-D');
    expect(daemon).toMatchObject({ code: 9, stdout: '' });
    expect(daemon.stderr).toContain('Error: this version does not start');
  });

  it('exits with 9 when the program refuses its settings, which it says itself', async () => {
    const place = newPlace();
    place.write(
      'refuse.mjs',
      'process.stderr.write(`${process.env.SIGNALBOX_WORKERS} are too many\\n`); process.exit(78);',
    );
    const sentence = 'signalbox: the program does not start: worker 1 exited with code 78 before it listened';
    const { code, stderr } = await place.signalbox('start', 'refuse.mjs', '-w', '1');
    expect({ code, stderr }).toEqual({ code: 9, stderr: `1 are too many\n${sentence}\n` });

    const daemon = await place.signalbox('start', 'refuse.mjs', '-w', '1', '-D');
    const log = place.path('signalbox.log');
    expect(daemon).toMatchObject({ code: 9, stderr: `${sentence}; ${log} may say why\n` });
    expect(textOf(log)).toContain('1 are too many\n');
  });

  it('exits with 9 when the program does not listen in time', async () => {
    const place = newPlace();
    place.write('behaviour.json', { listens: false });
    const { code, stderr } = await place.signalbox(
      'start',
      fixture('app.mjs'),
      '-w',
      '1',
      '--ready-timeout',
      '1s',
    );
    expect({ code, stderr }).toEqual({
      code: 9,
      stderr: 'signalbox: the program does not start: worker 1 did not listen within 1000 ms\n',
    });
  });

  it('exits with 9 when the program listens elsewhere', async () => {
    const place = newPlace();
    const [bind, other] = [await freePort(), await freePort()];
    place.write(
      'own.mjs',
      `import { createServer } from 'node:http'; createServer().listen(${other}, '127.0.0.1');`,
    );
    const options = ['-w', '1', '-b', `127.0.0.1:${bind}`, '--ready-timeout', '2s'];
    const { code, stdout, stderr } = await place.signalbox('start', 'own.mjs', ...options);
    expect(stdout).toContain(`worker 1 listens on port ${other} in place of 127.0.0.1:${bind}; serve() of`);
    expect({ code, stderr }).toEqual({
      code: 9,
      stderr: `signalbox: the program does not start: worker 1 did not listen on 127.0.0.1:${bind} within 2000 ms, but on port ${other}\n`,
    });
  });
});

/** The id of a process that is no more. */
async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  return child.pid ?? 0;
}

function requestsOf({ workers }: { workers: readonly { requests: number }[] }): number {
  return workers.reduce((sum, { requests }) => sum + requests, 0);
}

async function askSocket(socketPath: string): Promise<string> {
  const req = request({ socketPath, path: '/', agent: false }).end();
  const [res] = (await once(req, 'response')) as [AsyncIterable<Buffer>];
  let text = '';
  for await (const chunk of res) text += String(chunk);
  return text;
}
