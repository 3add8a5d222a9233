import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import express, { type ErrorRequestHandler, type Express } from 'express';
import { onTestFinished, vi } from 'vitest';
import {
  check,
  health,
  type Check,
  type CheckFunction,
  type Health,
  type HealthOptions,
} from '../src/index.js';

/** A handle that is closed when the test ends. */
export function opened(options: Partial<HealthOptions> = {}): Health {
  const handle = health({ service: 'search', version: '1.4.0', ...options });
  onTestFinished(() => handle.close());
  return handle;
}

/** An app with the probes, a page of its own, and errors as JSON. */
export function appWith(handle: Health, prepare: (app: Express) => void = () => undefined): Express {
  const app = express();
  prepare(app);
  app.use(handle.probes());
  app.get('/{*rest}', (req, res) => {
    res.status(404).json({ passedOn: req.path });
  });
  const asJson: ErrorRequestHandler = (error: unknown, _req, res, _next) => {
    const { status = 500, code, headers } = error as { status?: number; code?: string; headers?: object };
    res.set({ ...headers });
    res.status(status).json({ code });
  };
  app.use(asJson);
  return app;
}

/** A check that runs often and changes its mind at once, unless told otherwise. */
export function quick(name: string, run: CheckFunction, options: Parameters<typeof check>[2] = {}): Check {
  return check(name, run, { everyMs: 5, timeoutMs: 500, failuresToFall: 1, ...options });
}

/** Waits until the condition holds. */
export async function until(condition: () => boolean): Promise<void> {
  await vi.waitUntil(condition, { timeout: 10_000, interval: 2 });
}

/** Runs one function as a check until it has given its verdict. */
export async function verdictOf(
  run: CheckFunction,
): Promise<{ status: unknown; error: string; details: unknown }> {
  const handle = opened({ checks: [quick('it', run, { timeoutMs: 2_000 })] });
  await until(() => handle.report().services['it']?.status !== 'unknown');
  const { status, last_error, details } = handle.report().services['it'] ?? {};
  return { status, error: last_error?.message ?? '', details };
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** A real Redis on a free port, ended with the test. */
export async function startRedis(): Promise<{ port: number; stop: () => void; goOn: () => void }> {
  try {
    execFileSync('redis-server', ['--version']);
  } catch (cause) {
    throw new Error('redis-server is needed on PATH: apt-get install redis-server', { cause });
  }
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'signalbox-health-'));
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', folder];
  const child = spawn('redis-server', args, { stdio: 'ignore' });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    rmSync(folder, { recursive: true, force: true });
  });
  await vi.waitFor(() => ping(port), { timeout: 5_000, interval: 10 });
  return { port, stop: () => child.kill('SIGSTOP'), goOn: () => child.kill('SIGCONT') };
}

/** PING in Redis' inline form, on a connection of its own. */
export async function ping(port: number, signal?: AbortSignal): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect', { signal });
    socket.write('PING\r\n');
    const [answer] = (await once(socket, 'data', { signal })) as [Buffer];
    return answer.toString().trim();
  } finally {
    socket.on('error', () => undefined).destroy();
  }
}
