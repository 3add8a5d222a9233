import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A server of the bench: a program that keeps the contract in README.md. */
export interface Contender {
  name: string;
  /** Compiled program, relative to this file. */
  program: string;
  /** Which routes it has besides `ping` and `404`. */
  routes: readonly string[];
}

const ALL = ['limited', 'limited-thrice', 'me'];

export const CONTENDERS: readonly Contender[] = [
  { name: 'bare Express', program: './servers/bare-express.js', routes: [] },
  { name: 'bare Express on serve()', program: './servers/bare-express-serve.js', routes: [] },
  { name: 'hand-wired', program: './servers/hand-wired.js', routes: ALL },
  { name: 'Fastify', program: './servers/fastify.js', routes: ALL },
  { name: 'NestJS', program: './servers/nest.js', routes: ['limited', 'me'] },
  { name: 'Signalbox', program: './servers/signalbox.js', routes: ALL },
];

export interface RunningContender {
  name: string;
  pid: number;
  url: string;
  routes: readonly string[];
  stop(): Promise<void>;
}

const START_WITHIN_MS = 10_000;

/** Starts a contender on the first processor; the load, and Redis, run on the second. */
export async function startContender(
  contender: Contender,
  node: string,
  redisUrl: string,
): Promise<RunningContender> {
  const program = fileURLToPath(new URL(contender.program, import.meta.url));
  const child = spawn('taskset', ['-c', '0', node, program], {
    env: { ...process.env, NODE_ENV: 'production', HOST: '127.0.0.1', PORT: '0', REDIS_URL: redisUrl },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const url = await announcedUrl(child, contender.name);
  const { pid } = child;
  if (pid === undefined) throw new Error(`${contender.name} has no process`);
  return {
    name: contender.name,
    pid,
    url,
    routes: contender.routes,
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve());
        child.kill('SIGTERM');
        setTimeout(() => child.kill('SIGKILL'), 5_000).unref();
      }),
  };
}

function announcedUrl(child: ChildProcess, name: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const said: string[] = [];
    const late = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`${name} did not start within ${START_WITHIN_MS} ms: ${said.join('\n')}`));
    }, START_WITHIN_MS);
    child.once('exit', (code) => reject(new Error(`${name} exited with ${code}: ${said.join('\n')}`)));
    if (child.stderr === null) throw new Error('stderr is piped');
    createInterface({ input: child.stderr }).on('line', (line) => {
      said.push(line);
      const url = /listening on (http:\S+)/.exec(line)?.[1];
      if (url === undefined) return;
      clearTimeout(late);
      resolve(url);
    });
  });
}
