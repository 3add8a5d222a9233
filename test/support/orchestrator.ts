import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { eventually } from './eventually.js';
import { startPostgres, type PostgresServer } from './postgres.js';
import { startProgram, type Program } from './program.js';

const main = fileURLToPath(new URL('../../examples/orchestrator/dist/main.js', import.meta.url));

export interface RunningOrchestrator {
  readonly url: string;
  readonly program: Program;
  /** The JSON lines of its log so far. */
  log(): Record<string, unknown>[];
}

/** For what is about guests alone: a database would take longer than all else. */
export const WITHOUT_ACCOUNTS = { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' };

/** With the Postgres that it has without any setting, which takes seconds of a processor to start. */
export const EMBEDDED = { DATABASE_URL: undefined };

/** For what needs Redis and is not about its failures: on a busy machine an answer may be late. */
export const PATIENT = { REDIS_DEADLINE: '2s' };

const GENEROUS = '1000/s burst 1000';

/** Starts the compiled orchestrator on a free port, with an empty database unless one is named. */
export async function startOrchestrator(
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<RunningOrchestrator> {
  const program = await runOrchestrator({ PORT: '0', ...env });
  const [, url = ''] = await program.waitFor(/listening on (http:\/\/[\d.]+:\d+)/, 30_000);
  // It does not wait for tables in a database of somebody else's.
  if (!('DATABASE_URL' in env)) await eventually(async () => (await fetch(`${url}/readyz`)).ok, 30_000);
  return {
    url,
    program,
    log: () =>
      program
        .stdout()
        .split('\n')
        .filter((line) => line.startsWith('{') && line.endsWith('}'))
        .map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

/** Starts it as {@link startOrchestrator} does, and waits until it is ready: its pages say when it is not. */
export async function startReady(
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<RunningOrchestrator> {
  const running = await startOrchestrator(env);
  await eventually(async () => (await fetch(`${running.url}/readyz`)).ok, 30_000);
  return running;
}

/** Starts it without waiting for anything, for what ends before it listens. */
export async function runOrchestrator(
  env: Readonly<Record<string, string | undefined>>,
  args: readonly string[] = [],
): Promise<Program> {
  const database = 'DATABASE_URL' in env ? {} : { DATABASE_URL: await emptyDatabase() };
  const isEmbedded = 'DATABASE_URL' in env && env['DATABASE_URL'] === undefined;
  // A test asks an embedded Postgres so little that to make its code faster takes longer than all that it asks.
  const flags = isEmbedded ? ['--liftoff-only'] : [];
  return startProgram(process.execPath, [...flags, main, ...args], {
    name: 'orchestrator',
    // Elsewhere than the folder of a developer's .env.
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    // Limits that no test meets unless it is about them.
    env: {
      NODE_ENV: 'test',
      RATE_API: GENEROUS,
      RATE_SEARCH: GENEROUS,
      RATE_LOGIN: '100000/m',
      ...database,
      ...env,
    },
  });
}

let server: Promise<PostgresServer> | undefined;

/** One Postgres serves all files of a process; it ends with that. */
async function emptyDatabase(): Promise<string> {
  server ??= startPostgres();
  const { url } = await server;
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const name = `orchestrator_${randomUUID().replaceAll('-', '')}`;
  await client.query(`create database ${name}`);
  await client.end();
  return url.replace(/[^/]+$/, name);
}
