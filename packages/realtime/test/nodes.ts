import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { temporaryFolder } from '../../../test/support/keeper.js';
import { startProgram, type Program } from '../../../test/support/program.js';

export interface Node {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly program: Program;
  /** Asks it over HTTP. */
  ask<Answer = unknown>(path: string): Promise<Answer>;
}

const fileOf = (name: string): string => fileURLToPath(new URL(`programs/${name}.mjs`, import.meta.url));

/** Starts a process with sockets and jobs; it ends with the test. */
export async function startNode(env: Record<string, string> = {}): Promise<Node> {
  const node = await startNodeForAll(env);
  onTestFinished(async () => void (await node.program.kill()));
  return node;
}

/** As {@link startNode}, for several tests. */
export async function startNodeForAll(env: Record<string, string> = {}): Promise<Node> {
  return startFile('node', env, /listens on \d+/);
}

/** Starts a primary with workers that share a port; they end with the test. */
export async function startWorkers(count: number, env: Record<string, string> = {}): Promise<Node> {
  const ready = new RegExp(`(?:listens on \\d+[^]*){${count}}`);
  const folder = temporaryFolder('workers');
  const node = await startFile('workers', { WORKERS: String(count), TMPDIR: folder.path, ...env }, ready);
  onTestFinished(async () => {
    await node.program.kill();
    folder.remove();
  });
  return node;
}

async function startFile(name: string, env: Record<string, string>, ready: RegExp): Promise<Node> {
  const program = await startProgram(process.execPath, [fileOf(name)], {
    name,
    env: { ...process.env, ...env },
    ready,
  });
  const port = Number(/listens on (\d+)/.exec(program.output())?.[1]);
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    port,
    pid: program.pid,
    program,
    async ask<Answer>(path: string) {
      const response = await fetch(`${url}${path}`);
      if (!response.ok) throw new Error(`${path}: ${response.status}`);
      return (await response.json()) as Answer;
    },
  };
}
