import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type Socket, connect } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { RequestListener } from 'node:http';
import { onTestFinished } from 'vitest';
import { type RunningServer, type ServeOptions, serve } from '../src/index.js';

/** Serves on a free port, without process listeners, and is closed in little time when the test ends. */
export async function serveHere(app: RequestListener, options: ServeOptions = {}): Promise<RunningServer> {
  const running = await serve(app, {
    ...(options.socket === undefined ? { port: 0 } : {}),
    signals: false,
    ...options,
  });
  onTestFinished(async () => {
    await running.close({ withinMs: 200 });
    for (const socket of sockets) socket.destroy();
  });
  return running;
}

const sockets = new Set<Socket>();

/** A connection of which the test sees every byte. */
export interface RawConnection {
  readonly socket: Socket;
  /** All that has arrived so far. */
  received(): string;
  /** Resolves when the server has closed the connection, with all that arrived and how long it took. */
  ended(): Promise<{ text: string; afterMs: number }>;
}

export async function rawConnection(url: string): Promise<RawConnection> {
  const { port, hostname } = new URL(url);
  const socket = connect(Number(port), hostname);
  sockets.add(socket);
  const start = performance.now();
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  // A reset is an end as well; what arrived before tells the tests apart.
  socket.on('error', () => undefined);
  const closed = new Promise((resolve) => {
    socket.once('close', resolve);
  });
  await once(socket, 'connect');
  return {
    socket,
    received: () => text,
    async ended() {
      await closed;
      return { text, afterMs: performance.now() - start };
    },
  };
}

type Nothing = false | undefined;

/** Looks until `probe` returns something, and fails after `timeoutMs`. */
export async function eventually<T>(
  probe: () => T | Nothing | Promise<T | Nothing>,
  timeoutMs = 5_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const result = await probe();
    if (result !== undefined && result !== false) return result;
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${probe.toString()}`);
    await pause(5);
  }
}

/** Resolves when nobody listens there any more. */
export async function refused(url: string): Promise<void> {
  await eventually(async () => {
    try {
      (await rawConnection(url)).socket.destroy();
      return false;
    } catch {
      return true;
    }
  });
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** A program of `fixtures/`, in a process of its own. */
export interface Program {
  readonly child: ChildProcess;
  /** The first line it prints: by custom its URL. */
  readonly firstLine: string;
  /** The other lines of its stdout and stderr so far. */
  readonly lines: readonly string[];
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null; lines: readonly string[] }>;
}

export async function runProgram(name: string, env: Record<string, string> = {}): Promise<Program> {
  const path = fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
  const child = spawn(process.execPath, [path], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));

  const lines: string[] = [];
  const exited = once(child, 'close').then(() => ({ code: child.exitCode, signal: child.signalCode, lines }));
  createInterface({ input: child.stderr }).on('line', (line) => lines.push(line));
  const output = createInterface({ input: child.stdout });
  const first = once(output, 'line');
  const ended = exited.then(() => Promise.reject(new Error(`${name} ended early: ${lines.join('\n')}`)));
  ended.catch(() => undefined);
  const [firstLine] = (await Promise.race([first, ended])) as [string];
  output.on('line', (line) => lines.push(line));
  return { child, firstLine, lines, exited };
}
