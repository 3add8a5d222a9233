import { createLogger, type Logger } from '@signalbox/logging';
import { crashHandlers, serve } from '@signalbox/server';
import { hostAndPort, SOCKET_MODE } from './address.js';
import { orchestrator, type Orchestrator } from './app.js';
import { DRAIN_TOTAL_MS, JOBS_MS, READINESS_DELAY_MS } from './deadlines.js';
import type { Settings } from './settings.js';

/** Serves the app in this process, until it is told to stop. */
export async function serveApp(settings: Settings): Promise<void> {
  const logger = loggerOf(settings);
  crashHandlers({ log: logger });

  // With PORT=0 the address is known only once it listens.
  let publicUrl = settings.PUBLIC_URL ?? `http://${hostAndPort(settings)}`;
  const { app, ready, attach, resources } = composed(settings, logger, () => publicUrl);

  try {
    // A module that fails is tried again while the rest serves; one that takes its time is waited for.
    await ready;
    const behindProxy = settings.TRUST_PROXY !== 'off';
    const { url } = await serve(app, {
      attach,
      ...(settings.SOCKET === undefined
        ? { host: settings.HOST, port: settings.PORT }
        : { socket: settings.SOCKET, socketMode: SOCKET_MODE }),
      behindProxy,
      keepAliveTimeoutMs: settings.KEEP_ALIVE,
      // Whoever balances the load needs a moment to see that this process is not ready any more.
      drain: {
        totalMs: DRAIN_TOTAL_MS,
        readinessDelayMs: behindProxy ? READINESS_DELAY_MS : 0,
        jobsMs: JOBS_MS,
      },
      resources,
      log: logger,
    });
    if (settings.PUBLIC_URL === undefined && settings.SOCKET === undefined) publicUrl = url;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
    for (const { close } of resources) await close();
  }
}

/** A file that cannot be written ends the start with a sentence. */
function loggerOf({ LOG_LEVEL, LOG_FILE }: Settings): Logger {
  try {
    return createLogger({ level: LOG_LEVEL, file: LOG_FILE });
  } catch (error) {
    process.stderr.write(`LOG_FILE cannot be written: ${(error as Error).message}\n`);
    process.exit(78);
  }
}

/** What a setting's own check cannot see, such as a Sentinel without a name, ends the start with a sentence. */
function composed(settings: Settings, logger: Logger, publicUrl: () => string): Orchestrator {
  try {
    return orchestrator(settings, logger, publicUrl);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}
