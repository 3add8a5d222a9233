import { cpSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '@signalbox/testing';
import { onTestFinished } from 'vitest';
import { CATALOGUE, type Code, type DoctorReport } from '../src/index.js';

const SEEDED = fileURLToPath(new URL('seeded/', import.meta.url));

/** One mistake, made on purpose. */
export interface Seed {
  /** `SBX403-container-as-root` */
  readonly name: string;
  readonly code: Code;
  readonly folder: string;
  /** What is examined: files, an app that is served here, or a program that is started. */
  readonly kind: 'files' | 'app' | 'program';
}

export const seeds: readonly Seed[] = readdirSync(SEEDED)
  .filter((name) => name.startsWith('SBX'))
  .map((name) => {
    const folder = join(SEEDED, name);
    const has = (file: string): boolean => existsSync(join(folder, file));
    const kind = has('app.mjs') ? 'app' : has('main.mjs') ? 'program' : 'files';
    return { name, code: codeOf(name), folder, kind };
  });

function codeOf(name: string): Code {
  const code = Object.keys(CATALOGUE).find((each) => name.startsWith(`${each}-`));
  if (code === undefined) throw new Error(`${name} begins with no code`);
  return code as Code;
}

/** A place of its own, outside of the repository, whose settings are somebody else's. */
export function copyOf({ folder }: Seed): string {
  const place = newFolder();
  cpSync(folder, place, { recursive: true });
  return place;
}

export function newFolder(): string {
  const temporary = temporaryFolder('doctor');
  onTestFinished(() => temporary.remove());
  return temporary.path;
}

/** What was found about the app; that the line of Node here is an old one is nobody's mistake. */
export function codesOf({ findings }: DoctorReport): Code[] {
  const codes = findings.filter(({ where }) => where !== 'Node that runs this').map(({ code }) => code);
  return [...new Set(codes)].toSorted();
}
