import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { temporaryFolder, type TemporaryFolder } from './keeper.js';
import { onFreePort } from './ports.js';
import { startProgram, type Program } from './program.js';
import { requireProgram } from './system-packages.js';

export interface PostgresOptions {
  /** More settings, as in postgresql.conf: `{ max_connections: '5' }`. */
  settings?: Readonly<Record<string, string>> | undefined;
}

/** A Postgres of a test's own, on loopback, gone when the test process is. */
export interface PostgresServer {
  readonly host: '127.0.0.1';
  readonly port: number;
  /** For the superuser and the database `postgres`; no password is asked for. */
  readonly url: string;
  /** Its log. */
  output(): string;
  /** Freezes every process of it: connections stay open and nobody answers. */
  pause(): void;
  resume(): void;
  /** Ends it at once, as a power cut would. */
  kill(): Promise<void>;
  /** Starts it again on the same port, with its data; ends it first if it runs. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts an empty Postgres on a free port. */
export async function startPostgres({ settings = {} }: PostgresOptions = {}): Promise<PostgresServer> {
  const postgres = await requireProgram('postgres');
  const owner = await databaseUser();
  const folder = temporaryFolder('postgres', owner);
  const data = join(folder.path, 'data');
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);

  const start = (port: number): Promise<Program> =>
    startProgram(
      postgres,
      ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', folder.path, '-c', 'fsync=off', ...flags],
      { name: 'postgres', cwd: folder.path, owner, ready: /database system is ready to accept connections/ },
    );

  try {
    await promisify(execFile)(
      join(postgres, '../initdb'),
      ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-sync', '--no-instructions'],
      { ...owner, cwd: folder.path },
    );
    const { port, program } = await onFreePort(async (free) => ({ port: free, program: await start(free) }));
    return server(port, program, folder, () => start(port));
  } catch (error) {
    folder.remove();
    throw error;
  }
}

function server(
  port: number,
  first: Program,
  folder: TemporaryFolder,
  start: () => Promise<Program>,
): PostgresServer {
  let program = first;
  let frozen: readonly number[] = [];
  return {
    host: '127.0.0.1',
    port,
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    output: () => program.output(),
    pause() {
      // First the one that makes the others: each connection has a process, in a group of its own.
      program.signal('SIGSTOP');
      frozen = childrenOf(program.pid);
      for (const pid of frozen) process.kill(pid, 'SIGSTOP');
    },
    resume() {
      for (const pid of frozen) process.kill(pid, 'SIGCONT');
      frozen = [];
      program.signal('SIGCONT');
    },
    kill: async () => void (await program.kill()),
    async restart() {
      await program.kill();
      program = await start();
    },
    async stop() {
      await program.kill();
      folder.remove();
    },
  };
}

function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && parentOf(pid) === parent);
}

function parentOf(pid: number): number | undefined {
  try {
    return Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]);
  } catch {
    // It is gone.
    return undefined;
  }
}

/** Postgres refuses to run as root; Debian's package makes a user for it. */
async function databaseUser(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const idOf = async (flag: string): Promise<number> =>
    Number((await promisify(execFile)('id', [flag, 'postgres'])).stdout);
  return { uid: await idOf('-u'), gid: await idOf('-g') };
}
