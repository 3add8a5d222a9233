import { fileURLToPath } from 'node:url';
import { eventually } from './eventually.js';
import { startProgram, type Program } from './program.js';

const main = fileURLToPath(new URL('../../examples/orchestrator/dist/main.js', import.meta.url));

export interface RunningOrchestrator {
  readonly url: string;
  readonly program: Program;
  /** The JSON lines of its log so far. */
  log(): Record<string, unknown>[];
}

/** For what is about guests alone: the embedded Postgres would take longer to start than all else. */
export const WITHOUT_ACCOUNTS = { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' };

/** For what needs Redis and is not about its failures: on a busy machine an answer may be late. */
export const PATIENT = { REDIS_DEADLINE: '2s' };

const GENEROUS = '1000/s burst 1000';

/** Starts the compiled orchestrator on a free port, with nothing set but what is given. */
export async function startOrchestrator(
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<RunningOrchestrator> {
  const program = await runOrchestrator({ PORT: '0', ...env });
  const [, url = ''] = await program.waitFor(/listening on (http:\/\/[\d.]+:\d+)/, 30_000);
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
export function runOrchestrator(
  env: Readonly<Record<string, string | undefined>>,
  args: readonly string[] = [],
): Promise<Program> {
  // A test asks an embedded Postgres so little that to make its code faster takes longer than all that it asks.
  const flags = env['DATABASE_URL'] === undefined ? ['--liftoff-only'] : [];
  return startProgram(process.execPath, [...flags, main, ...args], {
    name: 'orchestrator',
    // Elsewhere than the folder of a developer's .env.
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    // Limits that no test meets unless it is about them.
    env: { NODE_ENV: 'test', RATE_API: GENEROUS, RATE_SEARCH: GENEROUS, RATE_LOGIN: '100000/m', ...env },
  });
}
