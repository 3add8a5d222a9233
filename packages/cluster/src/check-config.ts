import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { dirname, extname } from 'node:path';
import { formatAddress } from './bind.js';
import { ClusterError, fileError } from './cluster-error.js';
import type { CommandWords } from './command-words.js';
import { command } from './control-client.js';
import type { ClusterSettings } from './options.js';
import { resolveCommand } from './resolve-command.js';
import { requireFree } from './start-cluster.js';

/**
 * `signalbox check-config`: looks for everything that would keep `start` from starting, but runs nothing of the
 * program.
 */
export async function checkConfig(words: CommandWords): Promise<void> {
  const { settings, configFile } = await resolveCommand(words, process.env);
  checkSyntax(settings);
  if (settings.pidFile !== undefined) checkWritable(dirname(settings.pidFile));
  const running = await managerOf(settings);
  const { log: _log, hooks, env: _env, address, ...plain } = settings;
  // What is to be inherited is there for `start` alone.
  if (running === undefined && address !== undefined && !('fd' in address)) await requireFree(address);

  const rows = { ...plain, address: address && formatAddress(address), hooks: Object.keys(hooks) };
  const lines = Object.entries(rows).map(([name, value]) => `  ${name}: ${shown(value)}`);
  const state = running === undefined ? 'no manager runs' : 'a manager runs already';
  process.stdout.write(
    `the settings ${configFile === undefined ? '' : `of ${configFile} `}are right; ${state}\n${lines.join('\n')}\n`,
  );
}

/** Node looks at the syntax of JavaScript alone. */
function checkSyntax({ entry, nodeArgs }: ClusterSettings): void {
  if (!['.js', '.mjs', '.cjs'].includes(extname(entry))) return;
  const { status, stderr } = spawnSync(process.execPath, [...nodeArgs, '--check', entry], {
    encoding: 'utf8',
  });
  if (status === 0) return;
  const reason = /^\w*Error: .*$/m.exec(stderr)?.[0] ?? stderr.trim();
  throw new ClusterError('start_failed', `the program does not start: ${entry}: ${reason}`);
}

function checkWritable(folder: string): void {
  try {
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw fileError('write to the folder of the pid file', folder, error);
  }
}

async function managerOf({ controlSocket }: ClusterSettings): Promise<unknown> {
  if (controlSocket === undefined) return undefined;
  return command(controlSocket, 'status', 2_000).catch(() => undefined);
}

function shown(value: unknown): string {
  if (value === undefined) return 'none';
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.join(' ');
  return typeof value === 'string' ? value : JSON.stringify(value);
}
