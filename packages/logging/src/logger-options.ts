import { isatty } from 'node:tty';
import {
  refuseUnknownOptions,
  requireInteger,
  requireNumber,
  requireObject,
  requireOneOf,
  requireText,
  wrongOption,
} from '@signalbox/options';
import type { LevelWithSilent } from 'pino';
import type { RedactOptions } from './redact.js';

/** A file to log to, and how it rotates. */
export interface LogFileOptions {
  path: string;
  /**
   * The size at which a new file is begun, in bytes; `Infinity` leaves rotation to another program, such
   * as logrotate.
   * @default 10_485_760
   */
  maxBytes?: number | undefined;
  /**
   * How many full files are kept beside the current one; `path.1` is the newest of them.
   * @default 5
   */
  keep?: number | undefined;
}

/** Takes finished lines, each with its line feed, and must not throw. A pino destination is one. */
export interface LogDestination {
  write(line: string): void;
}

export interface LoggerOptions {
  /**
   * The least level that is written; `logger.level = 'debug'` changes it while running.
   * @default the environment's LOG_LEVEL, or `info`
   */
  level?: LevelWithSilent | undefined;
  /** Stands on every line as `name`. */
  name?: string | undefined;
  /**
   * Fields of every line.
   * @default { pid }
   */
  fields?: Readonly<Record<string, unknown>> | undefined;
  /** Where lines go, in place of standard output. */
  file?: string | LogFileOptions | undefined;
  /** Where lines go, as an object of your own. */
  destination?: LogDestination | undefined;
  /**
   * Lines for people in place of JSON.
   * @default true on a terminal, unless NODE_ENV is production
   */
  pretty?: boolean | undefined;
  /** What to redact beside the defaults. */
  redact?: RedactOptions | undefined;
  /**
   * Whether `log()` returns it where no request is running.
   * @default true for the first logger that is not closed
   */
  root?: boolean | undefined;
}

export interface ResolvedLoggerOptions {
  level: LevelWithSilent;
  base: Readonly<Record<string, unknown>>;
  file: Required<{ path: string; maxBytes: number; keep: number }> | undefined;
  destination: LogDestination | undefined;
  pretty: boolean;
  colorize: boolean;
  redact: RedactOptions;
  root: boolean | undefined;
}

const LEVELS: readonly LevelWithSilent[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

const NAMES = ['level', 'name', 'fields', 'file', 'destination', 'pretty', 'redact', 'root'] as const;

/** Fills in the defaults, or throws a `TypeError` naming the bad option. */
export function resolveLoggerOptions(options: LoggerOptions): ResolvedLoggerOptions {
  refuseUnknownOptions('createLogger', options, NAMES);
  const { name, fields = { pid: process.pid }, destination, redact = {}, root } = options;
  const toTerminal = options.file === undefined && destination === undefined && isatty(1);
  const { pretty = toTerminal && process.env['NODE_ENV'] !== 'production' } = options;

  requireDestination(destination, options.file !== undefined);
  requireRedact(redact);

  return {
    level: resolveLevel(options.level),
    base: name === undefined ? fields : { ...fields, name },
    file: options.file === undefined ? undefined : resolveFile(options.file),
    destination,
    pretty,
    // https://no-color.org
    colorize: toTerminal && !process.env['NO_COLOR'],
    redact,
    root,
  };
}

function resolveLevel(option: string | undefined): LevelWithSilent {
  const environment = process.env['LOG_LEVEL'];
  const wanted: unknown = option ?? (environment === undefined || environment === '' ? 'info' : environment);
  const level = String(wanted).toLowerCase();
  requireOneOf('createLogger', option === undefined ? 'LOG_LEVEL' : 'level', level, LEVELS);
  return level as LevelWithSilent;
}

function requireDestination(destination: LogDestination | undefined, hasFile: boolean): void {
  if (destination === undefined) return;
  if (hasFile) {
    throw wrongOption('createLogger', 'destination', 'left out where "file" is given', destination);
  }
  if (typeof destination?.write === 'function') return;
  throw wrongOption('createLogger', 'destination', 'an object with a "write" method', destination);
}

function resolveFile(file: string | LogFileOptions): { path: string; maxBytes: number; keep: number } {
  const options = typeof file === 'string' ? { path: file } : file;
  requireObject('createLogger', 'file', options);
  refuseUnknownOptions('createLogger: "file"', options, ['path', 'maxBytes', 'keep']);
  const { path, maxBytes = 10_485_760, keep = 5 } = options;

  requireText('createLogger', typeof file === 'string' ? 'file' : 'file.path', path);
  requireNumber('createLogger', 'file.maxBytes', maxBytes, { min: 1 });
  requireInteger('createLogger', 'file.keep', keep, 0);
  return { path, maxBytes, keep };
}

function requireRedact(redact: RedactOptions): void {
  requireObject('createLogger', 'redact', redact);
  refuseUnknownOptions('createLogger: "redact"', redact, ['keys', 'parameters']);
  for (const name of ['keys', 'parameters'] as const) {
    const list = redact[name] ?? [];
    const fits = Array.isArray(list) && list.every((each) => typeof each === 'string');
    if (!fits) throw wrongOption('createLogger', `redact.${name}`, 'a list of names', list);
  }
}
