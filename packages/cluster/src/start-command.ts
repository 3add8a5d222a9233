import { ClusterError } from './cluster-error.js';
import type { CommandWords } from './command-words.js';
import { isDaemon, startInBackground, tellForeground } from './daemon.js';
import type { ClusterSettings } from './options.js';
import { resolveCommand } from './resolve-command.js';
import { startManager } from './start-cluster.js';

/**
 * `signalbox start`: becomes the manager, or starts it in the background and waits until it serves.
 *
 * @returns whether this process is the manager
 */
export async function startCommand(words: CommandWords, argv: readonly string[]): Promise<boolean> {
  const { settings, daemon } = await resolveCommand(words, process.env);
  const reread = async (): Promise<ClusterSettings> => (await resolveCommand(words, process.env)).settings;
  if (!daemon) {
    await startManager(settings, reread);
    return true;
  }
  if (!isDaemon(process.env)) {
    const said = await startInBackground(argv, settings.outputFile ?? '/dev/null');
    process.stdout.write(`${said}\n`);
    return false;
  }
  try {
    const manager = await startManager(settings, reread);
    const { pid, workersReady, address } = manager.status();
    tellForeground({
      kind: 'ready',
      words: `process ${pid} serves ${address} with ${workersReady} workers and writes to ${settings.outputFile}`,
    });
    return true;
  } catch (error) {
    const code = error instanceof ClusterError ? error.code : 'failed';
    const message = error instanceof Error ? error.message : String(error);
    tellForeground({ kind: 'failed', code, message });
    throw error;
  }
}
