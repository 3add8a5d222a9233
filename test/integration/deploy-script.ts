import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { startProgram, type Program } from '../support/program.js';

const script = fileURLToPath(
  new URL('../../examples/orchestrator/deploy/start-production.sh', import.meta.url),
);

/** What an app in production cannot do without. */
export const NEEDED = {
  SECRET_KEYS: randomBytes(48).toString('base64'),
  PUBLIC_URL: 'https://signalbox.example',
};

/** Starts `start-production.sh` with nothing set but what is given. */
export function startScript(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  options: { cwd?: string; ready?: RegExp } = {},
): Promise<Program> {
  const nothing = {
    NODE_ENV: undefined,
    VITEST: undefined,
    WORKERS: undefined,
    PORT: undefined,
    HOST: undefined,
  };
  return startProgram(script, args, { name: 'start-production.sh', env: { ...nothing, ...env }, ...options });
}

export async function runScript(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  cwd?: string,
): Promise<{ code: number | null; output: string }> {
  const program = await startScript(args, env, cwd === undefined ? {} : { cwd });
  const { code } = await program.exited;
  return { code, output: program.output() };
}
