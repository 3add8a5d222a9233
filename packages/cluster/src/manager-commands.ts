import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ClusterError } from './cluster-error.js';
import { readFindingSettings } from './command-settings.js';
import { type CommandWords, takeFlag } from './command-words.js';
import { findConfigFile, readConfigFile } from './config-file.js';
import { type Command, command } from './control-client.js';
import { controlSocketOf, defaultPidFile, isRunning, readPid, runningOwner } from './pid-file.js';
import type { ReloadOutcome } from './reload-outcome.js';
import { type ClusterStatus, describeReload, formatStatus } from './status.js';

const ANSWERS_WITHIN_MS = 5_000;
/** New workers may take their time to start, and old ones to drain. */
const RELOADS_WITHIN_MS = 600_000;
const STOPS_WITHIN_MS = 120_000;
const LOOK_EVERY_MS = 50;

/** `signalbox stop`: waits until the manager is gone. */
export async function stopManager(words: CommandWords): Promise<void> {
  const [quick, options] = takeFlag(words.options, '--quick');
  const place = await findManager({ ...words, options });
  const { pid } = (await ask(place, quick ? 'quit' : 'stop', ANSWERS_WITHIN_MS)) as ClusterStatus;
  const end = performance.now() + STOPS_WITHIN_MS;
  while (isRunning(pid)) {
    if (performance.now() > end) {
      throw new ClusterError('timed_out', `process ${pid} has not stopped within ${STOPS_WITHIN_MS} ms`);
    }
    await delay(LOOK_EVERY_MS);
  }
  process.stdout.write(`process ${pid} has stopped\n`);
}

/** `signalbox reload`: waits until the old workers are gone, or the new ones are. */
export async function reloadManager(words: CommandWords): Promise<void> {
  const place = await findManager(words);
  const outcome = (await ask(place, 'reload', RELOADS_WITHIN_MS)) as ReloadOutcome;
  const sentence = `reload ${describeReload(outcome)}`;
  if (outcome.outcome === 'rolled_back') throw new ClusterError('rolled_back', sentence);
  process.stdout.write(`${sentence}\n`);
}

/** `signalbox status`, for people or with `--json` for programs. */
export async function showStatus(words: CommandWords): Promise<void> {
  const [json, options] = takeFlag(words.options, '--json');
  const status = (await ask(
    await findManager({ ...words, options }),
    'status',
    ANSWERS_WITHIN_MS,
  )) as ClusterStatus;
  process.stdout.write(json ? `${JSON.stringify(status, undefined, 2)}\n` : formatStatus(status));
}

/** Where a manager may be asked. */
interface Place {
  readonly pidFile: string;
  readonly controlSocket: string;
}

async function findManager(words: CommandWords): Promise<Place> {
  if (words.entry !== undefined || words.args.length > 0) {
    throw new ClusterError(
      'wrong_options',
      `${words.command} takes no program, got ${words.entry ?? words.args.join(' ')}; it finds the manager by --pid-file`,
    );
  }
  const said = readFindingSettings(words.options, process.env);
  const configFile = findConfigFile(said.CONFIG);
  const file = configFile === undefined ? {} : await readConfigFile(configFile);
  const pidFile = resolve(said.PID_FILE ?? file.pidFile ?? defaultPidFile());
  return { pidFile, controlSocket: resolve(file.controlSocket ?? controlSocketOf(pidFile)) };
}

async function ask({ pidFile, controlSocket }: Place, name: Command, withinMs: number): Promise<unknown> {
  try {
    return await command(controlSocket, name, withinMs);
  } catch (error) {
    if (!(error instanceof ClusterError) || error.code !== 'not_running') throw error;
    throw new ClusterError('not_running', whyNot(pidFile), { cause: error });
  }
}

function whyNot(pidFile: string): string {
  const pid = readPid(pidFile);
  if (pid === undefined) return `no manager runs: there is no pid file ${pidFile}`;
  if (runningOwner(pidFile) === undefined) {
    return `no manager runs: ${pidFile} names process ${pid}, which is gone`;
  }
  return `process ${pid}, which ${pidFile} names, takes no commands; it may be another program`;
}
