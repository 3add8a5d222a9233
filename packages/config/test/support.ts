import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { z } from 'zod';
import { config, ConfigError, type ConfigOptions } from '@signalbox/config';

/** Writes a file into a folder of its own, gone when the test ends, and returns its path. */
export function write(name: string, content: string | Uint8Array): string {
  const folder = mkdtempSync(join(tmpdir(), 'signalbox-config-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** The messages of the problems that stop the start; fails when nothing does. */
export function problemsOf(schema: z.ZodObject, options: ConfigOptions): string[] {
  try {
    config(schema, { env: {}, warn: () => undefined, ...options });
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ message }) => message);
    throw error;
  }
  throw new Error('config() found nothing wrong');
}

/** What was warned of while the settings were read without a problem. */
export function warningsOf(schema: z.ZodObject, options: ConfigOptions): string[] {
  const warnings: string[] = [];
  config(schema, { env: {}, warn: (message) => warnings.push(message), ...options });
  return warnings;
}
