import {
  bytes,
  type Config,
  config,
  ConfigError,
  type ConfigProblem,
  describeConfig,
  duration,
  flag,
  list,
  type SettingDescription,
  text,
} from '@signalbox/config';
import { z } from 'zod';
import { ClusterError } from './cluster-error.js';
import type { ClusterOptions } from './options.js';

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/** What the command line and the environment may say; `WORKERS` is `--workers` and `SIGNALBOX_WORKERS`. */
export interface CommandSettings {
  readonly WORKERS?: number | undefined;
  readonly BIND?: string | undefined;
  readonly SOCKET_MODE?: number | undefined;
  readonly CONFIG?: string | undefined;
  readonly PID_FILE?: string | undefined;
  readonly DAEMON?: boolean | undefined;
  readonly OUTPUT_FILE?: string | undefined;
  readonly LOG_LEVEL?: string | undefined;
  readonly RELOAD?: boolean | undefined;
  readonly WATCH?: readonly string[] | undefined;
  readonly NODE_ARGS?: readonly string[] | undefined;
  readonly MAX_REQUESTS?: number | undefined;
  readonly MAX_REQUESTS_JITTER?: number | undefined;
  readonly MAX_MEMORY?: number | undefined;
  readonly MAX_AGE?: number | undefined;
  readonly STUCK_AFTER?: number | undefined;
  readonly READY_TIMEOUT?: number | undefined;
  readonly DRAIN_TIMEOUT?: number | undefined;
}

const SETTINGS = z.object({
  WORKERS: z.number().int().min(1).max(1_024).optional().describe('how many workers'),
  BIND: text().optional().describe('where they listen: HOST:PORT, :PORT, unix:PATH or fd:3'),
  SOCKET_MODE: mode().optional().describe('file mode of a Unix socket, such as 660'),
  CONFIG: text().optional().describe('file of settings, by default signalbox.config.js'),
  PID_FILE: text().optional().describe('file for the process id, by default signalbox.pid'),
  DAEMON: flag().optional().describe('go on in the background'),
  OUTPUT_FILE: text().optional().describe('file for what is logged and printed'),
  LOG_LEVEL: z.enum(LEVELS).optional().describe('how much is logged, by workers too'),
  RELOAD: flag().optional().describe("reload when a file in the entry's folder changes"),
  WATCH: list().optional().describe('reload when one of these files or folders changes'),
  NODE_ARGS: list().optional().describe('options of Node for workers'),
  MAX_REQUESTS: z.number().int().min(0).optional().describe('replace a worker after so many requests'),
  MAX_REQUESTS_JITTER: z.number().int().min(0).optional().describe('up to so many more, by chance'),
  MAX_MEMORY: bytes().optional().describe('replace a worker that grows beyond, such as 512mb'),
  MAX_AGE: duration().optional().describe('replace a worker of that age, such as 12h'),
  STUCK_AFTER: duration().optional().describe('replace a worker whose event loop is blocked so long'),
  READY_TIMEOUT: duration().optional().describe('how long a worker may take to listen'),
  DRAIN_TIMEOUT: duration().optional().describe('how long a worker may take to drain'),
});

/** What commands for a manager that runs may say: how to find it. */
const FINDING_SETTINGS = SETTINGS.pick({ PID_FILE: true, CONFIG: true });

const PREFIX = 'SIGNALBOX_';

/**
 * Reads arguments and environment.
 *
 * @throws {ClusterError} that says everything that is wrong with them
 */
export function readCommandSettings(argv: readonly string[], env: NodeJS.ProcessEnv): CommandSettings {
  return read(SETTINGS, argv, env);
}

/** As {@link readCommandSettings}, for commands that only have to find a manager. */
export function readFindingSettings(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): Pick<CommandSettings, 'PID_FILE' | 'CONFIG'> {
  return read(FINDING_SETTINGS, argv, env);
}

function read<Schema extends z.ZodObject>(
  schema: Schema,
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): Config<Schema> {
  const own = Object.entries(env)
    .filter(([name]) => name.startsWith(PREFIX))
    .map(([name, value]) => [name.slice(PREFIX.length), value]);
  try {
    return config(schema, {
      argv,
      env: Object.fromEntries(own) as Record<string, string | undefined>,
      profile: 'production',
      warn: (message) => process.stderr.write(`signalbox: ${PREFIX}${message}\n`),
    });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ClusterError('wrong_options', error.problems.map(describe).join('\n'));
  }
}

/** A row for each, in the order in which `help` shows them. */
export function describeSettings(): SettingDescription[] {
  return describeConfig(SETTINGS);
}

/** In the words of whoever wrote it: the option, or the variable. */
function describe({ name, message, source }: ConfigProblem): string {
  // What is no setting is called as it was written.
  if (source === 'argv' && !(name in SETTINGS.shape)) return message;
  const own = source === 'argv' ? `--${name.toLowerCase().replaceAll('_', '-')}` : `${PREFIX}${name}`;
  return message.startsWith(`${name} `) ? `${own}${message.slice(name.length)}` : message;
}

/** The words of {@link CommandSettings} as options of `startCluster`; what nobody said is left out. */
export function toClusterOptions(said: CommandSettings, entry: string | undefined): Partial<ClusterOptions> {
  const options: { [Name in keyof ClusterOptions]?: ClusterOptions[Name] | undefined } = {
    entry,
    workers: said.WORKERS,
    bind: said.BIND,
    socketMode: said.SOCKET_MODE,
    pidFile: said.PID_FILE,
    outputFile: said.OUTPUT_FILE,
    watch: said.WATCH,
    nodeArgs: said.NODE_ARGS,
    maxRequests: said.MAX_REQUESTS,
    maxRequestsJitter: said.MAX_REQUESTS_JITTER,
    maxMemoryBytes: said.MAX_MEMORY,
    maxAgeMs: said.MAX_AGE,
    stuckAfterMs: said.STUCK_AFTER,
    readyTimeoutMs: said.READY_TIMEOUT,
    drainTimeoutMs: said.DRAIN_TIMEOUT,
  };
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as Partial<ClusterOptions>;
}

/** `660` and `0660` are what `chmod` takes them for. */
function mode(): z.ZodType<number> {
  return z
    .union([z.string(), z.number()])
    .refine((value) => /^0?o?[0-7]{3}$/.test(String(value)), 'must be a file mode such as 660')
    .transform((value) => Number.parseInt(String(value).replace(/^0?o?/, ''), 8));
}
