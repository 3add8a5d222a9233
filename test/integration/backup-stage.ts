import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../support/keeper.js';
import { onFreePort } from '../support/ports.js';
import { startProgram, waitUntil, type Program } from '../support/program.js';
import { requireProgram } from '../support/system-packages.js';

const main = fileURLToPath(
  new URL('../../examples/orchestrator/deploy/backup/dist/main.js', import.meta.url),
);
const require = createRequire(import.meta.url);
const s3rver = require.resolve('@20minutes/s3rver');

const BUCKET = 'backups';
/** The one key that the server knows. */
const S3_KEY = 'S3RVER';
export const BACKUP_SECRET = 'a secret of the backups: 4f1c0b7a2d9e8563';

/** An S3-compatible store on loopback, which checks signatures. */
export interface S3Server {
  readonly port: number;
  readonly url: string;
  /** The files in which it keeps its objects. */
  files(): string[];
  /** Where it keeps them. */
  readonly folder: string;
  program: Program;
  stop(): Promise<void>;
}

export async function startS3(): Promise<S3Server> {
  const folder = temporaryFolder('s3');
  const { port, program } = await onFreePort(async (free) => ({
    port: free,
    program: await runS3(free, folder.path),
  }));
  const bucket = join(folder.path, BUCKET);
  const server: S3Server = {
    port,
    url: `http://127.0.0.1:${port}`,
    folder: bucket,
    files: () =>
      readdirSync(bucket, { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('_object'))
        .map((file) => join(bucket, file)),
    program,
    async stop() {
      await server.program.kill();
      folder.remove();
    },
  };
  return server;
}

// It comes without a command line.
const SERVE_S3 = `const [S3rver, options] = [require(process.argv[1]), JSON.parse(process.argv[2])];
  new S3rver(options).run().then(({ port }) => console.log('listening on', port));`;

/** Starts the server on a port, with what is in the folder. */
function runS3(port: number, directory: string): Promise<Program> {
  const options = {
    port,
    address: '127.0.0.1',
    directory,
    silent: true,
    configureBuckets: [{ name: BUCKET }],
  };
  // What it hands out to go on with a long list is encrypted with DES.
  const args = ['--openssl-legacy-provider', '-e', SERVE_S3, s3rver, JSON.stringify(options)];
  return startProgram(process.execPath, args, {
    name: 's3rver',
    ready: /listening on/,
  });
}

export interface Finished {
  readonly code: number | null;
  readonly output: string;
  readonly stdout: string;
}

/** A folder for backups and the settings to make them. */
export interface BackupStage {
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  /** Runs the program to its end. */
  run(args: readonly string[], env?: Readonly<Record<string, string | undefined>>): Promise<Finished>;
  /** Starts it; with `limitKilobytes`, no file that it writes may be larger. */
  start(
    args: readonly string[],
    env?: Readonly<Record<string, string | undefined>>,
    limitKilobytes?: number,
  ): Promise<Program>;
  /** Runs it, and looks at the arguments of every process of the machine meanwhile. */
  watched(args: readonly string[]): Promise<{ output: string; commands: string }>;
  /** The names of the backups in the store. */
  names(): Promise<string[]>;
  /** The metrics by name and labels. */
  metrics(): Record<string, number>;
  /** What has not been sent. */
  outbox(): string[];
  remove(): void;
}

export async function backupStage(env: Readonly<Record<string, string>>): Promise<BackupStage> {
  // pg_dump comes with Postgres.
  const postgres = await requireProgram('postgres');
  const temporary = temporaryFolder('backup');
  const folder = temporary.path;
  const settings = {
    NODE_ENV: 'test',
    PATH: `${join(postgres, '..')}:${process.env['PATH'] ?? ''}`,
    BACKUP_DIR: folder,
    BACKUP_S3_BUCKET: BUCKET,
    BACKUP_S3_ACCESS_KEY_ID: S3_KEY,
    BACKUP_S3_SECRET_ACCESS_KEY: S3_KEY,
    BACKUP_S3_TRIES: '2',
    BACKUP_KEYS: BACKUP_SECRET,
    ...env,
  };
  mkdirSync(folder, { recursive: true });
  const start: BackupStage['start'] = (args, more = {}, limitKilobytes) => {
    const command = [process.execPath, main, ...args];
    const limited =
      limitKilobytes === undefined
        ? command
        : // bash counts in kilobytes, sh in half ones.
          ['bash', '-c', `ulimit -f ${limitKilobytes} && exec "$@"`, 'bash', ...command];
    const [program = '', ...rest] = limited;
    return startProgram(program, rest, { name: 'backup', cwd: folder, env: { ...settings, ...more } });
  };
  const stage: BackupStage = {
    folder,
    env: settings,
    start,
    async run(args, more) {
      const program = await start(args, more);
      const { code } = await program.exited;
      return { code, output: program.output(), stdout: program.stdout() };
    },
    async watched(args) {
      const seen: string[] = [];
      const program = await start(args);
      let isOver = false;
      void program.exited.then(() => (isOver = true));
      await waitUntil(() => {
        seen.push(commandLines());
        return Promise.resolve(isOver);
      }, 30_000);
      return { output: program.output(), commands: seen.join('\n') };
    },
    async names() {
      const { stdout } = await stage.run(['list']);
      return stdout.split('\n').flatMap((line) => (line === '' ? [] : [line.split(' ')[0] ?? '']));
    },
    metrics() {
      const text = readFileSync(join(folder, 'metrics/signalbox_backup.prom'), 'utf8');
      const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
      return Object.fromEntries(
        lines.map((line) => {
          const [name = '', value] = line.replace('signalbox_backup_', '').split(' ');
          return [name, Number(value)];
        }),
      );
    },
    outbox() {
      const outbox = join(folder, 'outbox');
      // There is none before the first run.
      return existsSync(outbox) ? readdirSync(outbox).toSorted() : [];
    },
    remove: () => temporary.remove(),
  };
  return stage;
}

/** The arguments of every process on the machine. */
function commandLines(): string {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        // It is gone.
        return '';
      }
    })
    .join('\n');
}
