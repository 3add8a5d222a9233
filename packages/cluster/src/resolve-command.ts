import { dirname, resolve } from 'node:path';
import { createLogger } from '@signalbox/logging';
import { requireBoolean, requireOneOf } from '@signalbox/options';
import { ClusterError, fileError } from './cluster-error.js';
import { type CommandSettings, readCommandSettings, toClusterOptions } from './command-settings.js';
import type { CommandWords } from './command-words.js';
import { findConfigFile, readConfigFile } from './config-file.js';
import { defaultPidFile } from './pid-file.js';
import { type ClusterOptions, type ClusterSettings, resolveClusterOptions } from './options.js';

/** Everything that `start` and `check-config` need to know. */
export interface ResolvedCommand {
  readonly settings: ClusterSettings;
  readonly daemon: boolean;
  readonly configFile: string | undefined;
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/**
 * Puts together what arguments, environment and file say, in this order of rank.
 *
 * @throws {ClusterError} that says what is wrong
 */
export async function resolveCommand(words: CommandWords, env: NodeJS.ProcessEnv): Promise<ResolvedCommand> {
  const said = readCommandSettings(words.options, env);
  const configFile = findConfigFile(said.CONFIG);
  const {
    daemon: fileDaemon = false,
    logLevel: fileLevel,
    ...file
  } = configFile ? await readConfigFile(configFile) : {};
  const owner = configFile ?? 'signalbox';
  try {
    requireBoolean(owner, 'daemon', fileDaemon);
    if (fileLevel !== undefined) requireOneOf(owner, 'logLevel', fileLevel, LEVELS);
    const daemon = said.DAEMON ?? fileDaemon;
    const options = { ...file, ...toClusterOptions(said, words.entry) };
    if (daemon && options.bind?.startsWith('fd:') === true)
      throw new TypeError(
        `${owner}: "bind" cannot be ${options.bind} with "daemon": what was inherited stays behind`,
      );
    const level = said.LOG_LEVEL ?? fileLevel;
    return {
      settings: resolveClusterOptions(complete(options, said, words.args, daemon, level), owner),
      daemon,
      configFile,
    };
  } catch (error) {
    if (error instanceof TypeError) throw new ClusterError('wrong_options', error.message, { cause: error });
    throw error;
  }
}

/** Adds what a command has by default, and `startCluster` has not. */
function complete(
  options: Partial<ClusterOptions>,
  said: CommandSettings,
  args: readonly string[],
  daemon: boolean,
  level: string | undefined,
): ClusterOptions {
  const { entry, pidFile = defaultPidFile(), watch = [] } = options;
  if (entry === undefined) {
    throw new ClusterError('wrong_options', 'say which program to start: signalbox start dist/main.js');
  }
  const outputFile = options.outputFile ?? (daemon ? pidFile.replace(/(\.pid)?$/, '.log') : undefined);
  return {
    ...options,
    entry,
    pidFile,
    args: args.length > 0 ? args : options.args,
    watch: said.RELOAD === true ? [...watch, dirname(resolve(entry))] : watch,
    env: { ...(level !== undefined && { LOG_LEVEL: level }), ...options.env },
    outputFile,
    log: options.log ?? commandLog(outputFile, level),
  };
}

/** Several lines of a reload's settings would else open the file several times. */
let log: ClusterOptions['log'];

function commandLog(file: string | undefined, level: string | undefined): ClusterOptions['log'] {
  try {
    log ??= createLogger({
      name: 'signalbox',
      ...(level !== undefined && { level: level as 'info' }),
      // Rotated by others, such as logrotate: workers write there, too.
      ...(file !== undefined && { file: { path: file, maxBytes: Number.POSITIVE_INFINITY } }),
    });
    return log;
  } catch (error) {
    if (file === undefined || error instanceof TypeError) throw error;
    throw fileError('write to', file, error);
  }
}
