import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const app = fileURLToPath(new URL('./servers/reload-app.js', import.meta.url));
const signalboxBin = fileURLToPath(new URL('../bin/signalbox.js', import.meta.resolve('@signalbox/cluster')));
const pm2Bin = fileURLToPath(import.meta.resolve('pm2/bin/pm2'));

/** A process manager that runs the program of the bench. */
export interface Manager {
  /** Replaces all workers, and resolves when it says that this is done. */
  reload(): Promise<void>;
  /** Process ids of the workers that serve. */
  workers(): Promise<number[]>;
  stop(): Promise<void>;
}

export interface ManagerKind {
  readonly name: string;
  /** @param recycleAfter requests after which a worker is replaced, where the manager can do that */
  start(place: { port: number; workers: number; recycleAfter?: number }): Promise<Manager>;
  readonly canRecycle: boolean;
}

export const MANAGERS: readonly ManagerKind[] = [
  { name: 'signalbox', canRecycle: true, start: startSignalbox },
  { name: 'pm2, serve()', canRecycle: false, start: (place) => startPm2(place, 'serve') },
  { name: 'pm2, server.close()', canRecycle: false, start: (place) => startPm2(place, 'close') },
];

async function startSignalbox({
  port,
  workers,
  recycleAfter = 0,
}: {
  port: number;
  workers: number;
  recycleAfter?: number;
}): Promise<Manager> {
  const folder = mkdtempSync(join(tmpdir(), 'signalbox-bench-'));
  const place = ['--pid-file', join(folder, 'signalbox.pid')];
  const signalbox = async (...args: string[]): Promise<string> =>
    (await run(process.execPath, [signalboxBin, ...args, ...place], { cwd: folder })).stdout;
  await signalbox(
    'start',
    app,
    '--daemon',
    '--workers',
    String(workers),
    '--bind',
    `127.0.0.1:${port}`,
    '--max-requests',
    String(recycleAfter),
  );
  return {
    reload: async () => void (await signalbox('reload')),
    async workers() {
      const status = JSON.parse(await signalbox('status', '--json')) as {
        workers: { pid: number; state: string }[];
      };
      return status.workers.filter(({ state }) => state === 'ready').map(({ pid }) => pid);
    },
    async stop() {
      await signalbox('stop', '--quick');
      rmSync(folder, { recursive: true });
    },
  };
}

/** As its documentation has it for reloads: cluster mode, told by the program when it is ready and when it may go. */
async function startPm2(
  { port, workers }: { port: number; workers: number },
  drain: 'serve' | 'close',
): Promise<Manager> {
  const folder = mkdtempSync(join(tmpdir(), 'pm2-bench-'));
  const pm2 = async (...args: string[]): Promise<string> => {
    const env = { ...process.env, PM2_HOME: folder };
    return (await run(process.execPath, [pm2Bin, ...args, '--silent'], { cwd: folder, env })).stdout;
  };
  const settings = {
    name: 'bench',
    script: app,
    instances: workers,
    exec_mode: 'cluster',
    wait_ready: true,
    listen_timeout: 20_000,
    kill_timeout: 35_000,
    env: { PORT: String(port), DRAIN: drain },
  };
  const file = join(folder, 'bench.config.json');
  writeFileSync(file, JSON.stringify({ apps: [settings] }));
  await pm2('start', file);
  return {
    reload: async () => void (await pm2('reload', 'bench')),
    async workers() {
      const list = JSON.parse(await pm2('jlist')) as { pid: number; pm2_env: { status: string } }[];
      return list.filter(({ pm2_env }) => pm2_env.status === 'online').map(({ pid }) => pid);
    },
    async stop() {
      await pm2('kill');
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
