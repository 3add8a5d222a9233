import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const DOCKER = join(ROOT, 'examples/orchestrator/deploy/docker');

export interface Instruction {
  readonly name: string;
  readonly rest: string;
}

export interface Stage {
  readonly image: string;
  readonly name: string | undefined;
  readonly instructions: readonly Instruction[];
}

/** The stages of a Dockerfile. An instruction is one line in ours. */
export function readStages(file: string): Stage[] {
  const stages: { image: string; name: string | undefined; instructions: Instruction[] }[] = [];
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const [, name = '', rest = ''] = /^([A-Z]+) (.+)$/.exec(line) ?? [];
    if (name === 'FROM') {
      const [image = '', , stage] = rest.split(/ (AS) /);
      stages.push({ image, name: stage, instructions: [] });
    } else if (name !== '') stages.at(-1)?.instructions.push({ name, rest });
  }
  return stages;
}

export function restOf({ instructions }: Stage, name: string): string[] {
  return instructions.filter((each) => each.name === name).map(({ rest }) => rest);
}

/** `CMD ["node", "x"]`, of which nothing is left to a shell. */
export function execForm(rest: string): string[] {
  const words: unknown = JSON.parse(rest.replace(/^.*?(?=\[)/, ''));
  if (Array.isArray(words) && words.every((word) => typeof word === 'string')) return words;
  throw new Error(`${rest} is no list of words`);
}

export function variablesOf(stage: Stage): Record<string, string> {
  const words = restOf(stage, 'ENV').flatMap((rest) => rest.split(' '));
  return Object.fromEntries(words.map((word) => word.split('=', 2) as [string, string]));
}

/** What is tracked, or new and not ignored, as the file of what to ignore leaves it. */
export async function copyContext(folder: string): Promise<void> {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const { stdout } = await promisify(execFile)('git', args, { cwd: ROOT, maxBuffer: 16 * 1024 * 1024 });
  const isIgnored = ignoring(readFileSync(join(DOCKER, 'Dockerfile.dockerignore'), 'utf8'));
  for (const file of stdout.split('\0')) {
    if (file === '' || isIgnored(file)) continue;
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    cpSync(join(ROOT, file), join(folder, file), { force: true });
  }
}

/** Docker's patterns, as far as ours go: `**`, `*`, and a path from the root. */
export function ignoring(text: string): (path: string) => boolean {
  const patterns = text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const source = line
        .replace(/^\//, '')
        .replaceAll('.', '\\.')
        .replaceAll(/\*\*\/|\*/g, (star) => (star === '*' ? '[^/]*' : '(?:.*/)?'));
      return new RegExp(`^${source}(?:/|$)`);
    });
  return (path) => patterns.some((pattern) => pattern.test(path));
}

/** Runs what the stage runs, in a folder instead of an image. */
export async function runStage(stage: Stage, folder: string): Promise<void> {
  const env = {
    ...process.env,
    NODE_ENV: undefined,
    NODE_OPTIONS: undefined,
    VITEST: undefined,
    ...variablesOf(stage),
  };
  for (const command of restOf(stage, 'RUN')) {
    const ran = promisify(execFile)('/bin/sh', ['-c', command], {
      cwd: folder,
      env,
      maxBuffer: 64 * 1024 * 1024,
    });
    await ran.catch((error: unknown) => {
      const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
      throw new Error(`"${command}" failed: ${stdout}${stderr}`, { cause: error });
    });
  }
}
