import { alerts, workerState } from '@signalbox/alerts';
import { fileURLToPath } from 'node:url';
import { startCluster } from '@signalbox/cluster';
import { createLogger } from '@signalbox/logging';
import { hostAndPort, SOCKET_MODE } from './address.js';
import { alertChannels, runbooksOf } from './alert-channels.js';
import type { Settings } from './settings.js';

/** Runs the app in several processes. Each reads the settings itself; what was made up for them has to be the same. */
export async function manage(settings: Settings): Promise<void> {
  const { SOCKET, WORKERS, SECRET_KEYS, LOG_LEVEL } = settings;
  const logger = createLogger({ level: LOG_LEVEL, name: 'manager' });
  // How workers end nobody else knows.
  const watcher = alerts({
    service: 'orchestrator-manager',
    environment: settings.NODE_ENV,
    channels: alertChannels(settings, logger),
    rules: [workerState()],
    runbooks: runbooksOf(settings),
  });
  try {
    await startCluster({
      entry: fileURLToPath(new URL('./main.js', import.meta.url)),
      args: process.argv.slice(2),
      env: { SECRET_KEYS: SECRET_KEYS.join(','), SECRET_KEYS_FILE: undefined },
      workers: WORKERS,
      ...(SOCKET === undefined
        ? { bind: hostAndPort(settings) }
        : { bind: `unix:${SOCKET}`, socketMode: SOCKET_MODE }),
      log: logger,
      hooks: { preStop: () => watcher.close() },
    });
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
