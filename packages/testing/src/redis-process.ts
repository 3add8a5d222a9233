import { temporaryFolder, type TemporaryFolder } from './keeper.js';
import { onFreePort } from './ports.js';
import { startProgram, type Program } from './program.js';
import { sendRedisCommand } from './redis-command.js';

/** How a redis-server is started. */
export interface RedisSettings {
  command: string;
  port: number | undefined;
  password: string | undefined;
  args: readonly string[];
}

/** A redis-server with nothing on disk, on loopback, that does not outlive this process. */
export interface RedisProcess {
  readonly port: number;
  readonly pid: number;
  readonly output: () => string;
  /** Whether the process is there, stopped or not. */
  readonly isRunning: () => boolean;
  /** Whether it answers a PING within a second. */
  readonly answers: () => Promise<boolean>;
  readonly signal: (name: 'SIGSTOP' | 'SIGCONT') => void;
  /** Ends it at once (SIGKILL). */
  readonly kill: () => Promise<void>;
  /** Starts it again on the same port, empty; ends it first if it runs. */
  readonly restart: () => Promise<void>;
  /** Ends it and removes its folder. */
  readonly close: () => Promise<void>;
}

/** @throws when there is no such program, or when it does not start; what it printed is in the message */
export async function startRedisProcess(settings: RedisSettings): Promise<RedisProcess> {
  const folder = temporaryFolder('redis');
  try {
    if (settings.port !== undefined) return await processOn(settings.port, settings, folder);
    return await onFreePort((port) => processOn(port, settings, folder));
  } catch (error) {
    folder.remove();
    throw error;
  }
}

async function processOn(
  port: number,
  settings: RedisSettings,
  folder: TemporaryFolder,
): Promise<RedisProcess> {
  const start = async (): Promise<Run> => {
    const run = { program: await launch(port, settings, folder), isOver: false };
    void run.program.exited.then(() => (run.isOver = true));
    return run;
  };
  let run = await start();

  const kill = async (): Promise<void> => void (await run.program.kill());
  return {
    port,
    get pid() {
      return run.program.pid;
    },
    output: () => run.program.output(),
    isRunning: () => !run.isOver,
    answers: () => answersPing(port, settings.password),
    // To its group: the command may be a script that starts the server.
    signal: (name) => run.program.signalAll(name),
    kill,
    async restart() {
      await kill();
      run = await start();
    },
    async close() {
      await kill();
      folder.remove();
    },
  };
}

interface Run {
  readonly program: Program;
  readonly isOver: boolean;
}

async function launch(
  port: number,
  { command, password, args }: RedisSettings,
  folder: TemporaryFolder,
): Promise<Program> {
  const settings = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder.path];
  // `--save ''` in redis.conf's words; no fork for a snapshot ever disturbs a measurement.
  const memoryOnly = ['--save', '', '--appendonly', 'no', '--daemonize', 'no'];
  const secret = password === undefined ? [] : ['--requirepass', password, '--masterauth', password];
  try {
    const program = await startProgram(command, [...settings, ...memoryOnly, ...secret, ...args], {
      name: 'redis-server',
      ready: () => answersPing(port, password),
    });
    program.unref();
    return program;
  } catch (error) {
    throw isMissing(error) ? new Error(missing(command), { cause: error }) : error;
  }
}

async function answersPing(port: number, password: string | undefined): Promise<boolean> {
  try {
    return (await sendRedisCommand(port, ['PING'], { password, timeoutMs: 1_000 })) === 'PONG';
  } catch (error) {
    // A password among the arguments is one that nobody told us. Anything else: it is starting.
    return error instanceof Error && error.message.startsWith('NOAUTH');
  }
}

function isMissing(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
}

function missing(command: string): string {
  return (
    `redisWithFaults: there is no program ${JSON.stringify(command)} to start. Install Redis (Debian: apt-get ` +
    'install redis-server; macOS: brew install redis), or say where it is with the option "command"'
  );
}
