import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startProgram, waitUntil } from '@signalbox/testing';
import { describe, expect, it } from 'vitest';
import { type Code, doctor } from '../src/index.js';
import { codesOf, newFolder, seeds } from './support.js';

/** What else is true of these. */
const ALSO: Readonly<Record<string, readonly Code[]>> = {
  SBX116: ['SBX315'],
  SBX523: ['SBX525'],
};

const BIN = fileURLToPath(new URL('../bin/signalbox-doctor.js', import.meta.url));

const env = {
  PATH: process.env['PATH'],
  NODE_ENV: 'production',
  SESSION_SECRET: 'mF3v8Qe1ZrT6yLw0KpXcB5nUa9JhGdS2',
};

describe('a mistake that a program shows when it is started', { timeout: 60_000 }, () => {
  const programs = seeds.filter(({ kind }) => kind === 'program');

  it.each(programs.map((seed) => [seed.name, seed] as const))('%s', async (_name, { folder, code }) => {
    const workers = code === 'SBX116' ? { WORKERS: '4', REDIS_URL: 'redis://127.0.0.1:1' } : {};
    const options = { env: { ...env, ...workers }, redis: false, drainMs: 500 };
    const report = await doctor(join(folder, 'main.mjs'), options);
    expect(codesOf(report)).toEqual([...new Set([code, ...(ALSO[code] ?? [])])].toSorted());
  });
});

it('a program that never listens is ended, and what it printed is told', { timeout: 30_000 }, async () => {
  const folder = newFolder();
  writeFileSync(join(folder, 'main.mjs'), 'console.log(`as ${process.pid}`); setInterval(() => {}, 1e6);');
  const report = await doctor(join(folder, 'main.mjs'), { env, startTimeoutMs: 3_000 });
  expect(codesOf(report)).toEqual(['SBX526']);
  const [, pid = ''] = /did not listen within 3 s: as (\d+)$/.exec(report.findings.at(0)?.detail ?? '') ?? [];
  await waitUntil(() => !isAlive(Number(pid)), 2_000);
  expect(isAlive(Number(pid))).toBe(false);
});

it('a doctor that is interrupted leaves no program behind', { timeout: 30_000 }, async () => {
  const folder = newFolder();
  const noted = join(folder, 'pid');
  const source = `import { writeFileSync } from 'node:fs';
writeFileSync(${JSON.stringify(noted)}, String(process.pid)); setInterval(() => {}, 1e6);`;
  writeFileSync(join(folder, 'main.mjs'), source);
  const temporary = newFolder();
  const program = await startProgram(process.execPath, [BIN, 'main.mjs'], {
    cwd: folder,
    env: { ...env, TMPDIR: temporary },
  });
  await waitUntil(() => existsSync(noted) && readFileSync(noted, 'utf8') !== '', 10_000);
  const pid = Number(readFileSync(noted, 'utf8'));
  program.signal('SIGINT');
  expect(await program.exited).toMatchObject({ signal: 'SIGINT' });
  await waitUntil(() => !isAlive(pid), 2_000);
  expect(isAlive(pid)).toBe(false);
  expect(readdirSync(temporary)).toEqual([]);
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
