import { randomBytes } from 'node:crypto';
import { statSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { MACHINE } from '../../examples/orchestrator/deploy/machine.js';
import { temporaryFolder } from '../support/keeper.js';
import { freePort } from '../support/ports.js';
import { startProgram, type Program } from '../support/program.js';
import { commandOf, environmentOf, lastOf, readUnit } from './deploy-unit.js';

const orchestrator = fileURLToPath(new URL('../../examples/orchestrator/', import.meta.url));
const listener = fileURLToPath(
  new URL('../../packages/cluster/test/fixtures/notify-socket.pl', import.meta.url),
);
const app = readUnit('signalbox.service');

/** Stands for systemd: the environment that the unit makes, and its commands, in a folder of the test's own. */
function place(): {
  folder: string;
  env: Record<string, string>;
  run: (line: string, ready?: RegExp) => Promise<Program>;
} {
  const { path: folder } = temporaryFolder('unit');
  writeFileSync(join(folder, 'secret-keys'), randomBytes(48).toString('base64'));
  const moved = (text: string): string =>
    text
      .replaceAll('/run/signalbox', folder)
      .replaceAll('/opt/signalbox/examples/orchestrator/', orchestrator)
      .replaceAll('%d', folder);
  const env: Record<string, string> = Object.fromEntries(
    Object.entries(environmentOf(app)).map(([name, value]) => [name, moved(value)]),
  );
  return {
    folder,
    env,
    run(line, ready) {
      const [program = '', ...args] = commandOf(moved(line), env);
      const command = program === '/usr/bin/node' ? process.execPath : program;
      return startProgram(command, args, { cwd: orchestrator, env, ready });
    },
  };
}

describe("the unit's own commands", { timeout: 150_000 }, () => {
  it('start, tell systemd, reload and stop within the time that they have', async () => {
    const { folder, env, run } = place();
    const notify = join(folder, 'notify');
    const systemd = await startProgram('perl', [listener, notify], { ready: /listening/ });
    onTestFinished(async () => void (await systemd.stop()));
    env['PORT'] = String(await freePort());
    env['PUBLIC_URL'] = 'https://signalbox.example';

    const checked = await run(lastOf(app, 'ExecStartPre'));
    expect((await checked.exited).code).toBe(0);
    expect(checked.output()).not.toContain('not a setting');

    Object.assign(env, { NOTIFY_SOCKET: notify, WATCHDOG_USEC: '1000000' });
    const manager = await run(lastOf(app, 'ExecStart'));
    onTestFinished(async () => void (await manager.kill()));
    await systemd.waitFor(/^READY=1/m, MACHINE.managerStartSeconds * 1_000);
    await systemd.waitFor(/^WATCHDOG=1/m);
    expect((await fetch(`http://127.0.0.1:${env['PORT']}/readyz`)).status).toBe(200);

    const reload = await run(lastOf(app, 'ExecReload'));
    expect([(await reload.exited).code, reload.output()]).toEqual([0, expect.stringContaining('done')]);
    await systemd.waitFor(/^RELOADING=1/m);

    const from = performance.now();
    manager.signal('SIGTERM');
    expect((await manager.exited).code).toBe(0);
    expect(performance.now() - from).toBeLessThan(MACHINE.managerStopSeconds * 1_000);
    await systemd.waitFor(/^STOPPING=1/m);
  });

  it('listen on the SOCKET of the settings, for whoever is of the group', async () => {
    const { folder, env, run } = place();
    const socketPath = join(folder, 'app.sock');
    Object.assign(env, { SOCKET: socketPath, PORT: '0', PUBLIC_URL: 'https://signalbox.example' });
    const manager = await run(lastOf(app, 'ExecStart'), /listening on unix:/);
    onTestFinished(async () => void (await manager.stop(10_000)));
    const status = await new Promise((resolve, reject) => {
      get({ socketPath, path: '/livez' }, (res) => resolve(res.resume().statusCode)).once('error', reject);
    });
    expect(status).toBe(200);
    expect(statSync(socketPath).mode & 0o777).toBe(0o660);
  });

  it('refuse to start without secrets, with a sentence', async () => {
    const { env, run } = place();
    env['SECRET_KEYS_FILE'] = '/nowhere/secret-keys';
    const checked = await run(lastOf(app, 'ExecStartPre'));
    expect((await checked.exited).code).not.toBe(0);
    expect(checked.output()).toMatch(/SECRET_KEYS/);
  });
});

describe("the socket's unit", { timeout: 150_000 }, () => {
  it('hands the port to the app, and whoever comes before that is there waits', async () => {
    const { env, run } = place();
    const port = await freePort();
    const command = lastOf(readUnit('signalbox.service.d/socket.conf'), 'ExecStart');
    env['PUBLIC_URL'] = 'https://signalbox.example';
    const variables = Object.entries(env).flatMap(([name, value]) => ['--setenv', `${name}=${value}`]);
    const listen = `systemd-socket-activate --listen 127.0.0.1:${port}`;
    const manager = await run([listen, ...variables, command].join(' '), /Listening on/);
    onTestFinished(async () => void (await manager.stop(10_000)));

    // The first request is what starts it.
    expect((await fetch(`http://127.0.0.1:${port}/livez`)).status).toBe(200);
    // As nginx asks.
    const headers = { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'https' };
    expect((await fetch(`http://127.0.0.1:${port}/health/detailed`, { headers })).status).toBe(403);
    // On the machine itself.
    expect((await fetch(`http://127.0.0.1:${port}/health/detailed`)).status).toBe(200);
  });
});
