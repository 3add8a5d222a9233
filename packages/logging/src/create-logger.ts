import { IncomingMessage } from 'node:http';
import { signals } from '@signalbox/signals';
import { pino, type Bindings, type ChildLoggerOptions, type LogFn, type Logger } from 'pino';
import { lineWriter } from './line-writer.js';
import { setInternals } from './logger-internals.js';
import {
  resolveLoggerOptions,
  type LogDestination,
  type LoggerOptions,
  type ResolvedLoggerOptions,
} from './logger-options.js';
import { changedLines, prettifier } from './pretty.js';
import { redactor, type Redactor } from './redact.js';
import { forgetRootLogger, rootLogger, setRootLogger } from './root-logger.js';
import { rotatingFile } from './rotating-file.js';
import { sink, type TextSink } from './sink.js';
import { timestamper } from './timestamp.js';

/** What a logger made by `createLogger` can do beside pino's own methods. */
export interface LoggerHandle {
  /** Opens the log file by its name again, after another program, such as logrotate, moved it away. */
  reopen(): void;
  /**
   * Writes what is left and closes the file. Idempotent. What is logged later is still appended to the
   * file, line by line.
   */
  close(): Promise<void>;
}

/** A pino logger that knows where it writes. */
export type RootLogger = Logger & LoggerHandle;

/**
 * Makes a pino logger that writes JSON, or lines for people on a terminal, and keeps secrets to itself:
 * keys that look like passwords, tokens, cookies or API keys are redacted at any depth, also in errors,
 * their causes, and URLs.
 *
 * Every line is written before the call returns, so that none is lost when the process exits or crashes.
 *
 * @throws {TypeError} when an option or LOG_LEVEL is not what it must be
 * @throws when the file cannot be opened
 *
 * @example
 * const logger = createLogger({ file: '/var/log/app.log' });
 * logger.info({ port: 8080 }, 'listening');
 */
export function createLogger(options: LoggerOptions = {}): RootLogger {
  const resolved = resolveLoggerOptions(options);
  const secrets = redactor(resolved.redact);
  const { destination, pretty } = resolved;
  const writer = destination === undefined ? lineWriter(openSink(resolved)) : undefined;
  const stream = destination !== undefined && pretty ? prettyDestination(destination, resolved) : destination;
  let trusted: object | undefined;
  let isTrusted = false;

  const logger = pino(
    {
      level: resolved.level,
      base: secrets.object(resolved.base),
      timestamp: timestamper(),
      // Errors come here already described; pino's own serializer would describe the description.
      serializers: { err: asItIs, msg: redactMessage, reqId: requestId },
      formatters: {
        level: (label) => ({ level: label }),
        log(object) {
          isTrusted = object === trusted;
          return isTrusted ? object : secrets.object(object);
        },
      },
      hooks: { logMethod },
    },
    writer ?? stream,
  );

  /** pino comes here after the formatter, with the message of the same line. */
  function redactMessage(message: unknown): unknown {
    return typeof message === 'string' && !isTrusted ? secrets.text(message) : message;
  }

  /** What is formatted into the message by `%o` and its like, pino does not show to the formatters. */
  function logMethod(this: Logger, args: Parameters<LogFn>, method: LogFn): void {
    for (let index = 1; index < args.length; index++) {
      if (typeof args[index] === 'object') args[index] = secrets.value(args[index]);
    }
    method.apply(this, args);
  }

  setInternals(logger, {
    redactor: secrets,
    trust(object) {
      trusted = object;
    },
    gatherNext: () => writer?.gatherNext(),
  });
  redactBindings(logger, secrets);
  if (resolved.root ?? rootLogger() === undefined) setRootLogger(logger);
  const forgetMoves =
    resolved.file === undefined ? undefined : signals.logsMoved.subscribe(() => writer?.reopen());

  return Object.assign(logger, {
    reopen() {
      writer?.reopen();
    },
    async close() {
      forgetRootLogger(logger);
      forgetMoves?.();
      await writer?.close();
    },
  });
}

function openSink({ file, pretty, colorize }: ResolvedLoggerOptions): TextSink {
  const target = file === undefined ? sink(1) : rotatingFile(file);
  return pretty ? changedLines(target, prettifier(colorize)) : target;
}

function prettyDestination(destination: LogDestination, { colorize }: ResolvedLoggerOptions): LogDestination {
  const prettify = prettifier(colorize);
  return { write: (line) => destination.write(prettify(line)) };
}

/** The two methods of pino by which fields come to stand on every line of a logger. */
interface TakesFields {
  readonly child: (this: Logger, bindings: Bindings, options?: ChildLoggerOptions) => Logger;
  readonly setBindings: (this: Logger, bindings: Bindings) => void;
}

/**
 * The fields of children are turned into text when a child is made, and no formatter sees them: the two
 * methods that take fields are given redacted ones. Children inherit them, and theirs.
 */
function redactBindings(logger: Logger, secrets: Redactor): void {
  const own: TakesFields = logger;
  const { child, setBindings } = own;
  Object.assign(logger, {
    child(this: Logger, bindings: Bindings, options?: ChildLoggerOptions): Logger {
      // The request logger's own child, one a request: its serializer prints the id.
      const isRequest = bindings['reqId'] instanceof IncomingMessage;
      return child.call(this, isRequest ? bindings : secrets.object(bindings), options);
    },
    setBindings(this: Logger, bindings: Bindings): void {
      setBindings.call(this, secrets.object(bindings));
    },
  });
}

function requestId(value: unknown): unknown {
  return value instanceof IncomingMessage && 'id' in value ? value.id : value;
}

function asItIs(value: unknown): unknown {
  return value;
}
