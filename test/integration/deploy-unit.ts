import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** The folder of the units. */
export const SYSTEMD = fileURLToPath(new URL('../../examples/orchestrator/deploy/systemd/', import.meta.url));

/** Every value of a directive, in order, by its name; `\` at the end of a line is not used. */
export type Unit = ReadonlyMap<string, readonly string[]>;

export function readUnit(file: string): Unit {
  const unit = new Map<string, string[]>();
  for (const line of readFileSync(`${SYSTEMD}${file}`, 'utf8').split('\n')) {
    const [, name = '', value = ''] = /^([A-Z]\w+)=(.*)$/.exec(line) ?? [];
    if (name !== '') unit.set(name, [...(unit.get(name) ?? []), value]);
  }
  return unit;
}

/** The last value, which is the one in force. */
export function lastOf(unit: Unit, name: string): string {
  return unit.get(name)?.at(-1) ?? '';
}

export function environmentOf(unit: Unit): Record<string, string> {
  const words = (unit.get('Environment') ?? []).flatMap((line) => line.split(' '));
  return Object.fromEntries(words.map((word) => word.split(/=(.*)/, 2) as [string, string]));
}

/** Words of a command line as systemd reads them: `${NAME}` is a variable, and always one word. */
export function commandOf(line: string, env: Readonly<Record<string, string>>): string[] {
  return line
    .split(' ')
    .map((word) => word.replaceAll(/\$\{(\w+)\}/g, (_all, name: string) => env[name] ?? ''));
}

export interface Analysis {
  code: number;
  output: string;
}

/** Runs systemd-analyze, which needs no systemd that runs. */
export async function systemdAnalyze(...args: string[]): Promise<Analysis> {
  try {
    const { stdout, stderr } = await promisify(execFile)('systemd-analyze', args);
    return { code: 0, output: stdout + stderr };
  } catch (error) {
    const {
      code,
      stdout = '',
      stderr = '',
    } = error as { code?: number | string; stdout?: string; stderr?: string };
    if (code === 'ENOENT') {
      throw new Error('The tests need systemd-analyze: on Debian, apt-get install systemd', { cause: error });
    }
    return { code: Number(code), output: stdout + stderr };
  }
}
