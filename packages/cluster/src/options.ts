import { accessSync, constants, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { createLogger } from '@signalbox/logging';
import {
  refuseUnknownOptions,
  requireBoolean,
  requireFunction,
  requireInteger,
  requireMilliseconds,
  requireObject,
  requireText,
  wrongOption,
} from '@signalbox/options';
import type { Address, ServerLog } from '@signalbox/server';
import { parseBind } from './bind.js';
import { ClusterError, codeOf } from './cluster-error.js';
import { type ClusterHooks, HOOKS } from './hooks.js';
import { controlSocketOf } from './pid-file.js';
import { grantedProcessors } from './processors.js';

/** Options of `startCluster`. Only `entry` is needed. */
export interface ClusterOptions {
  /** The program that every worker runs. */
  entry: string;
  /** Arguments of the program. */
  args?: readonly string[] | undefined;
  /** Options of Node for the workers, such as `--max-old-space-size=512`. */
  nodeArgs?: readonly string[] | undefined;
  /** Variables for the workers, beside this process' own; `undefined` takes one out. */
  env?: Readonly<Record<string, string | undefined>> | undefined;
  /**
   * How many workers. Each finds the number in the variable SIGNALBOX_WORKERS, so that a program which keeps
   * something in its own memory can refuse to be one of several.
   * @default the processors that the control group grants
   */
  workers?: number | undefined;
  /**
   * Where workers listen: `HOST:PORT`, `:PORT`, `unix:PATH`, or `fd:N` for a port that this process inherited, 3 under a
   * socket unit of systemd. The first `serve()` of a worker takes it, and it is in HOST and PORT, or SOCKET, for other
   * programs, which cannot take a descriptor. Without it the program decides.
   */
  bind?: string | undefined;
  /** File mode of a Unix socket, such as `0o660`. By default the process's umask decides. */
  socketMode?: number | undefined;
  /** File to keep the manager's process id in; commands find the manager by it. */
  pidFile?: string | undefined;
  /**
   * Unix socket on which the manager takes commands.
   * @default the path of the pid file and `.sock`; none without a pid file
   */
  controlSocket?: string | undefined;
  /** File that standard output and error of the workers go to, in place of the manager's own. */
  outputFile?: string | undefined;
  /**
   * How long a worker may take until it listens, in milliseconds.
   * @default 30_000
   */
  readyTimeoutMs?: number | undefined;
  /**
   * How long new workers must have been up before a reload lets the old ones go, in milliseconds.
   * @default 500
   */
  settleMs?: number | undefined;
  /**
   * How long a worker may take to drain before it is killed, in milliseconds. `serve()` takes 30 seconds at most.
   * @default 35_000
   */
  drainTimeoutMs?: number | undefined;
  /**
   * Requests after which a worker is replaced; 0 for never.
   * @default 0
   */
  maxRequests?: number | undefined;
  /**
   * Up to so many requests more, by chance for each worker, so that not all are replaced at once.
   * @default a tenth of `maxRequests`
   */
  maxRequestsJitter?: number | undefined;
  /**
   * Resident memory above which a worker is replaced, in bytes; 0 for never.
   * @default 0
   */
  maxMemoryBytes?: number | undefined;
  /**
   * Age at which a worker is replaced, up to a tenth later by chance, in milliseconds; 0 for never.
   * @default 0
   */
  maxAgeMs?: number | undefined;
  /**
   * How long the event loop of a worker may be blocked before it is killed and replaced, in milliseconds; 0 for ever.
   * @default 10_000
   */
  stuckAfterMs?: number | undefined;
  /**
   * How often workers say that they are alive, in milliseconds.
   * @default 1_000
   */
  beatMs?: number | undefined;
  /**
   * A worker that ends sooner after it was ready counts towards the backoff, in milliseconds.
   * @default 2_000
   */
  minUptimeMs?: number | undefined;
  /**
   * The longest pause between two starts of a program that keeps crashing, in milliseconds.
   * @default 30_000
   */
  maxBackoffMs?: number | undefined;
  /**
   * Files and folders that are watched; a change reloads. For development.
   * @default []
   */
  watch?: readonly string[] | undefined;
  /** Functions that are called when something happens. */
  hooks?: ClusterHooks | undefined;
  /**
   * Whether the metrics of all workers are added up, see `clusterMetrics` of `@signalbox/metrics`.
   * @default true
   */
  metrics?: boolean | undefined;
  /**
   * Whether the process obeys SIGHUP, SIGTERM, SIGINT, SIGQUIT, SIGTTIN, SIGTTOU and SIGUSR2, and exits when the
   * manager has stopped.
   * @default true
   */
  signals?: boolean | undefined;
  /** Told of what happens. By default a logger of `@signalbox/logging`. */
  log?: ServerLog | undefined;
}

const OPTIONS: readonly (keyof ClusterOptions)[] = [
  'entry',
  'args',
  'nodeArgs',
  'env',
  'workers',
  'bind',
  'socketMode',
  'pidFile',
  'controlSocket',
  'outputFile',
  'readyTimeoutMs',
  'settleMs',
  'drainTimeoutMs',
  'maxRequests',
  'maxRequestsJitter',
  'maxMemoryBytes',
  'maxAgeMs',
  'stuckAfterMs',
  'beatMs',
  'minUptimeMs',
  'maxBackoffMs',
  'watch',
  'hooks',
  'metrics',
  'signals',
  'log',
];

/** {@link ClusterOptions} with nothing left open. */
export interface ClusterSettings {
  readonly entry: string;
  readonly args: readonly string[];
  readonly nodeArgs: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly workers: number;
  readonly address: Address | undefined;
  readonly pidFile: string | undefined;
  readonly controlSocket: string | undefined;
  readonly outputFile: string | undefined;
  readonly readyTimeoutMs: number;
  readonly settleMs: number;
  readonly drainTimeoutMs: number;
  readonly maxRequests: number;
  readonly maxRequestsJitter: number;
  readonly maxMemoryBytes: number;
  readonly maxAgeMs: number;
  readonly stuckAfterMs: number;
  readonly beatMs: number;
  readonly minUptimeMs: number;
  readonly maxBackoffMs: number;
  readonly watch: readonly string[];
  readonly hooks: ClusterHooks;
  readonly metrics: boolean;
  readonly signals: boolean;
  readonly log: ServerLog;
}

/**
 * Fills in the defaults.
 *
 * @param owner what errors begin with: the function, or the file that the options stand in
 * @throws {TypeError} naming the option that is wrong
 * @throws {ClusterError} when there is no such entry file
 */
export function resolveClusterOptions(options: ClusterOptions, owner = 'startCluster'): ClusterSettings {
  requireObject(owner, 'options', options);
  refuseUnknownOptions(owner, options, OPTIONS);
  const { workers = grantedProcessors(), bind, socketMode, pidFile, env = {}, hooks = {} } = options;
  const { metrics = true, signals = true, log } = options;
  requireInteger(owner, 'workers', workers, 1, 1_024);
  if (bind !== undefined) requireText(owner, 'bind', bind);
  if (socketMode !== undefined) requireInteger(owner, 'socketMode', socketMode, 0, 0o777);
  if (socketMode !== undefined && bind?.startsWith('unix:') !== true) {
    throw new TypeError(`${owner}: "socketMode" needs "bind" to be unix:PATH`);
  }
  requireObject(owner, 'env', env);
  requireBoolean(owner, 'metrics', metrics);
  requireBoolean(owner, 'signals', signals);
  checkHooks(owner, hooks);

  return {
    entry: entryFile(owner, options.entry),
    args: texts(owner, 'args', options.args),
    nodeArgs: texts(owner, 'nodeArgs', options.nodeArgs),
    env,
    workers,
    address: bind === undefined ? undefined : parseBind(owner, 'bind', bind, socketMode),
    pidFile: path(owner, 'pidFile', pidFile),
    controlSocket: controlSocket(owner, options),
    outputFile: path(owner, 'outputFile', options.outputFile),
    ...resolveTimes(owner, options),
    ...resolveRecycling(owner, options),
    watch: texts(owner, 'watch', options.watch),
    hooks,
    metrics,
    signals,
    log: log ?? createLogger({ name: 'signalbox', root: false }),
  };
}

function resolveTimes(owner: string, options: ClusterOptions) {
  const { readyTimeoutMs = 30_000, settleMs = 500, drainTimeoutMs = 35_000 } = options;
  const { stuckAfterMs = 10_000, beatMs = 1_000, minUptimeMs = 2_000, maxBackoffMs = 30_000 } = options;
  const times = { readyTimeoutMs, settleMs, drainTimeoutMs, stuckAfterMs, beatMs, minUptimeMs, maxBackoffMs };
  const fromZero = ['settleMs', 'stuckAfterMs', 'minUptimeMs'];
  for (const [name, value] of Object.entries(times)) {
    requireMilliseconds(owner, name, value, fromZero.includes(name) ? 0 : 1);
  }
  if (stuckAfterMs !== 0 && stuckAfterMs < 2 * beatMs) {
    const wanted = `0, or at least twice "beatMs" (${beatMs})`;
    throw wrongOption(owner, 'stuckAfterMs', wanted, stuckAfterMs);
  }
  return times;
}

function resolveRecycling(owner: string, options: ClusterOptions) {
  const { maxRequests = 0, maxMemoryBytes = 0, maxAgeMs = 0 } = options;
  const { maxRequestsJitter = Math.floor(maxRequests / 10) } = options;
  requireInteger(owner, 'maxRequests', maxRequests, 0);
  requireInteger(owner, 'maxRequestsJitter', maxRequestsJitter, 0);
  requireInteger(owner, 'maxMemoryBytes', maxMemoryBytes, 0);
  requireMilliseconds(owner, 'maxAgeMs', maxAgeMs, 0);
  return { maxRequests, maxRequestsJitter, maxMemoryBytes, maxAgeMs };
}

function checkHooks(owner: string, hooks: ClusterHooks): void {
  requireObject(owner, 'hooks', hooks);
  refuseUnknownOptions(`${owner}: "hooks"`, hooks, HOOKS);
  for (const name of HOOKS) {
    if (hooks[name] !== undefined) requireFunction(owner, `hooks.${name}`, hooks[name]);
  }
}

function entryFile(owner: string, entry: unknown): string {
  requireText(owner, 'entry', entry);
  const file = resolve(entry);
  try {
    if (!statSync(file).isFile()) throw new ClusterError('entry_missing', `${file} is not a file`);
    accessSync(file, constants.R_OK);
  } catch (error) {
    if (error instanceof ClusterError) throw error;
    const code = codeOf(error);
    if (code === 'EACCES' || code === 'EPERM') {
      throw new ClusterError('no_permission', `no permission to read ${file}`, { cause: error });
    }
    throw new ClusterError('entry_missing', `there is no file ${file} to start`, { cause: error });
  }
  return file;
}

function path(owner: string, option: string, value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  requireText(owner, option, value);
  return resolve(value);
}

/** Linux takes 107 bytes of path and a zero byte. */
const MAX_SOCKET_PATH_BYTES = 107;

function controlSocket(owner: string, { controlSocket, pidFile }: ClusterOptions): string | undefined {
  const socket =
    path(owner, 'controlSocket', controlSocket) ?? (pidFile && controlSocketOf(resolve(pidFile)));
  if (socket !== undefined && Buffer.byteLength(socket) > MAX_SOCKET_PATH_BYTES) {
    const wanted = `a path of at most ${MAX_SOCKET_PATH_BYTES} bytes; by default it is that of the pid file and ".sock"`;
    throw wrongOption(owner, 'controlSocket', wanted, socket);
  }
  return socket;
}

function texts(owner: string, option: string, value: readonly string[] = []): readonly string[] {
  if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value;
  throw wrongOption(owner, option, 'a list of texts', value);
}
