import { isatty } from 'node:tty';
import type { LevelWithSilent } from 'pino';
import { requireKnownNames, requireOption } from './check-options.js';
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
  requireKnownNames('createLogger', options, NAMES);
  const { name, fields = { pid: process.pid }, destination, redact = {}, root } = options;
  const toTerminal = options.file === undefined && destination === undefined && isatty(1);
  const { pretty = toTerminal && process.env['NODE_ENV'] !== 'production' } = options;

  const bothWays = options.file !== undefined && destination !== undefined;
  requireOption(!bothWays, 'createLogger: "destination"', 'left out where "file" is given', destination);
  requireOption(
    destination === undefined || typeof destination.write === 'function',
    'createLogger: "destination"',
    'an object with a "write" method',
    destination,
  );
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
  const level = LEVELS.find((each) => each === String(wanted).toLowerCase());
  if (level !== undefined) return level;

  const source = option === undefined ? 'LOG_LEVEL' : '"level"';
  throw new TypeError(`createLogger: ${source} must be one of ${LEVELS.join(', ')}, got "${String(wanted)}"`);
}

function resolveFile(file: string | LogFileOptions): { path: string; maxBytes: number; keep: number } {
  const options = typeof file === 'string' ? { path: file } : file;
  requireKnownNames('createLogger', options, ['path', 'maxBytes', 'keep']);
  const { path, maxBytes = 10_485_760, keep = 5 } = options;

  requireOption(typeof path === 'string' && path !== '', 'createLogger: "file"', 'a path', path);
  requireOption(maxBytes >= 1, 'createLogger: "file.maxBytes"', 'a number of at least 1', maxBytes);
  const keepFits = Number.isInteger(keep) && keep >= 0;
  requireOption(keepFits, 'createLogger: "file.keep"', 'an integer of at least 0', keep);
  return { path, maxBytes, keep };
}

function requireRedact(redact: RedactOptions): void {
  requireKnownNames('createLogger', redact, ['keys', 'parameters']);
  for (const name of ['keys', 'parameters'] as const) {
    const list = redact[name] ?? [];
    const fits = Array.isArray(list) && list.every((each) => typeof each === 'string');
    requireOption(fits, `createLogger: "redact.${name}"`, 'a list of names', list);
  }
}
