import { inspect } from 'node:util';
import { refuseUnknownOptions, requireInteger, requireMilliseconds, wrongOption } from '@signalbox/options';
import { leave } from './leave.js';
import { type ServerLog, requireLog, stderrLog } from './log.js';
import { type Closable, openServers } from './open-servers.js';
import type { RunningServer } from './serve.js';

/** Options of `crashHandlers`. All are optional. */
export interface CrashHandlersOptions {
  /** Told of the crash, at `fatal`. By default it goes to stderr. */
  log?: ServerLog | undefined;
  /** The server to drain. By default every server of the process that `serve` opened. */
  server?: RunningServer | undefined;
  /**
   * Time for the drain, in milliseconds: the state of the process is unknown, so it is short.
   * @default 5_000
   */
  drainMs?: number | undefined;
  /**
   * Code that the process exits with.
   * @default 1
   */
  exitCode?: number | undefined;
}

/**
 * Ends the process in order when something was thrown that nobody caught: an uncaught exception, or a rejection
 * that nobody handled. It is logged once, at `fatal`; readiness goes off, the servers drain within a short budget, and
 * the process exits with code 1. A second crash ends it at once.
 *
 * @returns a function that takes the handlers away again
 * @throws {TypeError} when an option is wrong
 *
 * @example
 * crashHandlers({ log });
 */
export function crashHandlers(options: CrashHandlersOptions = {}): () => void {
  refuseUnknownOptions('crashHandlers', options, ['log', 'server', 'drainMs', 'exitCode']);
  const { log = stderrLog, server, drainMs = 5_000, exitCode = 1 } = options;
  requireLog('crashHandlers', log);
  requireMilliseconds('crashHandlers', 'drainMs', drainMs);
  requireInteger('crashHandlers', 'exitCode', exitCode, 1, 255);
  if (server !== undefined && typeof server.close !== 'function') {
    throw wrongOption('crashHandlers', 'server', 'what serve() resolved with', server);
  }
  let crashed = false;

  function crash(err: unknown, origin: string): void {
    if (crashed) {
      report(log, err, `${origin} during the drain after another one; exiting at once`);
      process.exit(exitCode);
    }
    crashed = true;
    process.exitCode = exitCode;
    report(log, err, `${origin}; draining, then exiting`);
    void drainAndLeave(server === undefined ? [...openServers] : [server]);
  }

  async function drainAndLeave(servers: readonly Closable[]): Promise<void> {
    // A drain that began before the crash goes by its own, longer budget.
    const overdue = setTimeout(() => process.exit(exitCode), drainMs + 1_000);
    await Promise.all(servers.map((open) => open.close({ reason: 'crash', withinMs: drainMs })));
    clearTimeout(overdue);
    leave(exitCode);
  }

  const onException = (err: unknown): void => crash(err, 'uncaught exception');
  const onRejection = (reason: unknown): void => crash(asError(reason), 'unhandled rejection');
  process.on('uncaughtException', onException);
  process.on('unhandledRejection', onRejection);
  return () => {
    process.off('uncaughtException', onException);
    process.off('unhandledRejection', onRejection);
  };
}

/** A log shows a stack; a reason that is no error has none, but can be shown. */
function asError(reason: unknown): unknown {
  return reason instanceof Error ? reason : new Error(`rejected with ${inspect(reason, { depth: 1 })}`);
}

function report(log: ServerLog, err: unknown, message: string): void {
  try {
    if (log.fatal === undefined) log.error({ err }, message);
    else log.fatal({ err }, message);
  } catch (logError) {
    stderrLog.fatal({ err }, message);
    stderrLog.fatal({ err: logError }, 'the logger failed as well');
  }
}
