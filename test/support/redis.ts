import { execFile } from 'node:child_process';
import { connect } from 'node:net';
import { promisify } from 'node:util';
import { temporaryFolder, type TemporaryFolder } from './keeper.js';
import { onFreePort } from './ports.js';
import { startProgram, type Program } from './program.js';
import { requireProgram } from './system-packages.js';

export interface RedisOptions {
  /** The port; by default a free one. */
  port?: number | undefined;
  password?: string | undefined;
  /** More settings, as in redis.conf: `['--maxmemory', '10mb']`. */
  args?: readonly string[] | undefined;
}

/** A Redis of a test's own: no data on disk, on loopback, gone when the test process is. */
export interface RedisServer {
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly url: string;
  readonly pid: number;
  /** Its log. */
  output(): string;
  /** Sends one command with redis-cli and returns what it prints. Rejects on an error reply. */
  command(...words: readonly string[]): Promise<string>;
  /** Freezes it (SIGSTOP): connections stay open and nobody answers. */
  pause(): void;
  resume(): void;
  /** Ends it at once (SIGKILL); connections are reset. */
  kill(): Promise<void>;
  /** Starts it again on the same port, empty; ends it first if it runs. */
  restart(): Promise<void>;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
}

/**
 * Starts Redis on a free port.
 *
 * @example
 * const redis = await startRedis();
 * afterAll(() => redis.stop());
 */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const folder = temporaryFolder('redis');
  const start = (port: number): Promise<Program> => launch(port, folder, options);
  try {
    const { port, program } = await withPort(options.port, start);
    return server(port, program, folder, () => start(port), options.password);
  } catch (error) {
    folder.remove();
    throw error;
  }
}

async function withPort(
  port: number | undefined,
  start: (port: number) => Promise<Program>,
): Promise<{ port: number; program: Program }> {
  if (port !== undefined) return { port, program: await start(port) };
  return onFreePort(async (free) => ({ port: free, program: await start(free) }));
}

async function launch(port: number, folder: TemporaryFolder, options: RedisOptions): Promise<Program> {
  const { password, args = [] } = options;
  const settings = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder.path];
  // `--save ''` in redis.conf's words; no fork for a snapshot ever disturbs a measurement.
  const memoryOnly = ['--save', '', '--appendonly', 'no', '--daemonize', 'no'];
  const secret = password === undefined ? [] : ['--requirepass', password, '--masterauth', password];
  return startProgram(
    await requireProgram('redis-server'),
    [...settings, ...memoryOnly, ...secret, ...args],
    { name: 'redis-server', ready: () => answersPing(port) },
  );
}

function server(
  port: number,
  first: Program,
  folder: TemporaryFolder,
  start: () => Promise<Program>,
  password: string | undefined,
): RedisServer {
  let program = first;
  const credentials = password === undefined ? '' : `:${encodeURIComponent(password)}@`;

  return {
    host: '127.0.0.1',
    port,
    url: `redis://${credentials}127.0.0.1:${port}`,
    get pid() {
      return program.pid;
    },
    output: () => program.output(),
    command: (...words) => redisCommand(port, words, password),
    pause: () => program.signal('SIGSTOP'),
    resume: () => program.signal('SIGCONT'),
    kill: async () => void (await program.kill()),
    async restart() {
      await program.kill();
      program = await start();
    },
    async stop() {
      await program.kill();
      folder.remove();
    },
  };
}

/** Sends one command to the Redis (or Sentinel) on the port and returns what redis-cli prints. */
export async function redisCommand(
  port: number,
  words: readonly string[],
  password?: string,
): Promise<string> {
  const program = await requireProgram('redis-cli');
  const { stdout } = await promisify(execFile)(
    program,
    ['-e', '-h', '127.0.0.1', '-p', String(port), ...words],
    {
      env: { ...process.env, REDISCLI_AUTH: password },
      timeout: 30_000,
    },
  );
  return stdout.trimEnd();
}

/** Whether Redis answers on the port, be it with a refusal for want of a password. */
export function answersPing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const settle = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1_000, () => settle(false));
    socket.once('error', () => settle(false));
    socket.once('close', () => settle(false));
    socket.once('connect', () => socket.write('PING\r\n'));
    socket.once('data', (reply) => settle(/^(\+PONG|-NOAUTH)/.test(reply.toString('latin1'))));
  });
}
