import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A server of the bench: a program that keeps the contract in README.md. */
export interface Contender {
  name: string;
  /** Compiled program, relative to this file. */
  program: string;
  /** Arguments of the program, if it is another one's with something changed. */
  args?: readonly string[];
  /** Which routes it has besides `ping` and `404`. */
  routes: readonly string[];
  /** Whether its other routes are those of another contender, which are measured there. */
  isVariant?: boolean;
  /** Whether it works out every answer anew. */
  keepsNothing?: boolean;
}

const ALL = ['limited', 'limited-thrice', 'me', 'search'];

export const CONTENDERS: readonly Contender[] = [
  { name: 'bare Express', program: './servers/bare-express.js', routes: ['search'], keepsNothing: true },
  {
    name: 'bare Express on serve()',
    program: './servers/bare-express-serve.js',
    routes: ['search'],
    keepsNothing: true,
  },
  { name: 'hand-wired', program: './servers/hand-wired.js', routes: ALL },
  {
    name: 'hand-wired parsing',
    program: './servers/hand-wired.js',
    args: ['--parse'],
    routes: ['search'],
    isVariant: true,
  },
  {
    name: 'apicache',
    program: './servers/hand-wired.js',
    args: ['--apicache'],
    routes: ['search'],
    isVariant: true,
  },
  { name: 'Fastify', program: './servers/fastify.js', routes: ALL },
  { name: 'NestJS', program: './servers/nest.js', routes: ['limited', 'me', 'search'] },
  { name: 'Signalbox', program: './servers/signalbox.js', routes: ALL },
  {
    name: 'Signalbox, Redis only',
    program: './servers/signalbox.js',
    args: ['--redis-only'],
    routes: ['search'],
    isVariant: true,
  },
];

export interface RunningContender extends Contender {
  pid: number;
  url: string;
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
  const child = spawn('taskset', ['-c', '0', node, program, ...(contender.args ?? [])], {
    env: { ...process.env, NODE_ENV: 'production', HOST: '127.0.0.1', PORT: '0', REDIS_URL: redisUrl },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const url = await announcedUrl(child, contender.name);
  const { pid } = child;
  if (pid === undefined) throw new Error(`${contender.name} has no process`);
  const tellEnd = (code: number | null): void => {
    process.stderr.write(`${contender.name} ended by itself, with ${code}\n`);
  };
  child.once('exit', tellEnd);
  return {
    ...contender,
    pid,
    url,
    stop: () =>
      new Promise((resolve) => {
        // One that broke down meanwhile says so no second time.
        if (child.exitCode !== null || child.signalCode !== null) return resolve();
        child.off('exit', tellEnd).once('exit', () => resolve());
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
