import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { Line } from './recorder.js';

export interface Ended {
  code: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
}

export function programPath(name: string): string {
  return fileURLToPath(new URL(`programs/${name}.mjs`, import.meta.url));
}

/** Runs a program of this folder to its end. */
export async function run(name: string, ...parameters: (string | number)[]): Promise<Ended> {
  const child = spawn(process.execPath, [programPath(name), ...parameters.map(String)], {
    env: { ...process.env, NODE_ENV: 'production', LOG_LEVEL: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = once(child, 'close') as Promise<[number | null, string | null]>;
  const [stdout, stderr, [code, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    closed,
  ]);
  return { code, signal, stdout, stderr };
}

/** Every line is JSON and whole, or this throws. */
export function parseLines(written: string): Line[] {
  if (written === '') return [];
  if (!written.endsWith('\n')) throw new Error(`the last line is torn: ${written.slice(-200)}`);
  return written
    .slice(0, -1)
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}
