import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { connectRedis, type RedisLink } from '@signalbox/redis';
import { startTool } from './child.js';
import { BackupError, sentenceOf } from './failure.js';

/** How long a command may take; a large key takes its time to be hashed. */
const COMMAND_MS = 60_000;
const LOOK_EVERY_MS = 50;

/** A Redis that was started with a snapshot, for nobody but this process. */
export interface ScratchRedis {
  readonly socket: string;
}

/**
 * Starts a Redis with a snapshot and does something with it.
 *
 * @throws {BackupError} where Redis does not take the snapshot, which it checks by its own checksum
 */
export async function withSnapshot<T>(
  snapshot: string,
  signal: AbortSignal,
  act: (redis: ScratchRedis) => Promise<T>,
): Promise<T> {
  // Short, since the name of a socket may not be long.
  const folder = await mkdtemp(join(tmpdir(), 'sbx-'));
  const socket = join(folder, 's');
  await symlink(resolve(snapshot), join(folder, 'dump.rdb'));
  const { child, done } = startTool('redis-server', argumentsOf(folder, socket), { signal });
  let log = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (log = (log + text).slice(-4_000)));
  try {
    await Promise.race([
      isReady(socket, signal),
      done.then(
        () => Promise.reject(new BackupError('redis-server ended')),
        (error: unknown) => Promise.reject(new BackupError(refusal(error, log))),
      ),
    ]);
    return await act({ socket });
  } finally {
    child.kill('SIGKILL');
    await done.catch(() => undefined);
    await rm(folder, { recursive: true, force: true });
  }
}

function argumentsOf(folder: string, socket: string): string[] {
  const settings: Record<string, string> = {
    port: '0',
    unixsocket: socket,
    unixsocketperm: '700',
    dir: folder,
    dbfilename: 'dump.rdb',
    // Nothing is written: the file is what is looked at.
    save: '',
    appendonly: 'no',
    daemonize: 'no',
    'enable-debug-command': 'local',
    databases: '128',
    // A replica, of a server that is not there: it keeps what has expired, so that it can be counted.
    replicaof: '127.0.0.1 1',
  };
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, ...value.split(' ')]);
}

async function isReady(socket: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    const link = connectRedis(`unix://${socket}`, { deadlineMs: 1_000 });
    try {
      await link.command('DBSIZE');
      return;
    } catch {
      // Not listening yet, or still loading.
      await pause(LOOK_EVERY_MS, undefined, { signal });
    } finally {
      await link.close();
    }
  }
}

/** A connection to one of its databases; whoever asks closes it. */
export function connectScratch({ socket }: ScratchRedis, database: string): RedisLink {
  return connectRedis(`unix://${socket}?db=${database}`, { deadlineMs: COMMAND_MS });
}

function refusal(error: unknown, log: string): string {
  const line = log
    .split('\n')
    .filter((each) => /RDB|checksum|Bad file format|Fatal|EOF/i.test(each))
    .at(-1);
  return `Redis does not take the snapshot: ${line?.replace(/^.*[#*] /, '') ?? sentenceOf(error)}`;
}
