import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { redisWithFaults } from '@signalbox/testing';
import { requireProgram } from './system-packages.js';
import { untilStopped } from './until-stopped.js';

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
 * Starts Redis on a free port, installing it first if need be. It is the server of `redisWithFaults` of
 * `@signalbox/testing`, without the proxy and the faults: one of several, as in Sentinel and Cluster.
 *
 * @example
 * const redis = await startRedis();
 * afterAll(() => redis.stop());
 */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const command = await requireProgram('redis-server');
  const redis = await redisWithFaults({ ...options, command }, untilStopped);
  // A signal to a process that is gone does nothing.
  const unlessGone = (signal: Promise<void>): void => void signal.catch(() => undefined);

  return {
    host: '127.0.0.1',
    port: redis.port,
    url: redis.directUrl,
    get pid() {
      return redis.pid;
    },
    output: redis.output,
    command: (...words) => redisCommand(redis.port, words, options.password),
    pause: () => unlessGone(redis.stop()),
    resume: () => unlessGone(redis.resume()),
    kill: redis.kill,
    restart: redis.restart,
    stop: redis.close,
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
export async function answersPing(port: number): Promise<boolean> {
  try {
    return (await redisCommand(port, ['ping'])) === 'PONG';
  } catch (error) {
    return error instanceof Error && error.message.includes('NOAUTH');
  }
}
