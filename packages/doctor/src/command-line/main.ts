import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { z } from 'zod';
import { CATALOGUE } from '../catalogue.js';
import { doctor } from '../doctor.js';
import { DoctorError } from '../doctor-error.js';
import { formatCode, formatCodes, formatReport } from './format.js';
import { type Examination, parse, UsageError } from './parse.js';
import { EXIT, USAGE } from './usage.js';

const say = (text: string): void => void process.stdout.write(text);
const complain = (text: string): void => void process.stderr.write(`signalbox-doctor: ${text}\n`);

/** The program. Sets the exit code and lets the process end by itself. */
export function main(): void {
  run(process.argv.slice(2)).then(
    (code) => void (process.exitCode = code),
    (error: unknown) => {
      const isExpected = error instanceof UsageError || error instanceof DoctorError;
      // Anything else is a bug, of which the stack tells more.
      const text = error instanceof Error && !isExpected ? error.stack : undefined;
      complain(text ?? (error instanceof Error ? error.message : String(error)));
      process.exitCode = isExpected ? EXIT.usage : EXIT.failed;
    },
  );
}

async function run(args: readonly string[]): Promise<number> {
  const order = parse(args);
  switch (order.kind) {
    case 'help':
      say(USAGE);
      return EXIT.sound;
    case 'version':
      say(`${version()}\n`);
      return EXIT.sound;
    case 'codes':
      say(formatCodes());
      return EXIT.sound;
    case 'explain':
      say(formatCode(order.code, CATALOGUE[order.code]));
      return EXIT.sound;
    case 'examine':
      return examine(order);
  }
}

async function examine(order: Examination): Promise<number> {
  const { target, json, strict, settings, kind: _kind, ...options } = order;
  const report = await doctor(target, {
    ...options,
    settings: settings === undefined ? undefined : await loadSchema(settings),
  });
  say(json ? `${JSON.stringify(report, undefined, 2)}\n` : formatReport(report, hasColours()));
  return report.ok && !(strict && report.counts.warning > 0) ? EXIT.sound : EXIT.found;
}

function hasColours(): boolean {
  return process.stdout.isTTY && (process.env['NO_COLOR'] ?? '') === '';
}

/** `dist/settings.js#SETTINGS`; without a name the only schema that the module exports. */
async function loadSchema(text: string): Promise<z.ZodObject> {
  const [path = '', name] = text.split('#', 2);
  let exported: Record<string, unknown>;
  try {
    exported = (await import(pathToFileURL(resolve(path)).href)) as Record<string, unknown>;
  } catch (error) {
    throw new UsageError(
      `--settings: ${path} cannot be loaded: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  const schemas = Object.entries(exported).filter(([key, value]) => isSchema(value) && (name ?? key) === key);
  const [only, another] = schemas;
  if (only === undefined || another !== undefined) {
    throw new UsageError(
      `--settings: ${path} must export ${name ?? 'one'} z.object(), and it has ${schemas.length}`,
    );
  }
  return only[1] as z.ZodObject;
}

function isSchema(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'shape' in value && 'safeParse' in value;
}

function version(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
