import { fileURLToPath } from 'node:url';
import { startCluster } from '@signalbox/cluster';
import { createLogger } from '@signalbox/logging';
import type { Settings } from './settings.js';

/** Runs the app in several processes. Each reads the settings itself; what was made up for them has to be the same. */
export async function manage(settings: Settings): Promise<void> {
  const { HOST, PORT, SOCKET, WORKERS, SECRET_KEYS, LOG_LEVEL } = settings;
  try {
    await startCluster({
      entry: fileURLToPath(new URL('./main.js', import.meta.url)),
      args: process.argv.slice(2),
      env: { SECRET_KEYS: SECRET_KEYS.join(','), SECRET_KEYS_FILE: undefined },
      workers: WORKERS,
      bind: SOCKET === undefined ? `${HOST}:${PORT}` : `unix:${SOCKET}`,
      log: createLogger({ level: LOG_LEVEL, name: 'manager' }),
    });
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
