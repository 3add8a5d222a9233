import { existsSync } from 'node:fs';
import { readFile, realpath, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ClusterError, codeOf, fileError } from './cluster-error.js';
import type { ClusterOptions } from './options.js';

/** What a file of settings may hold: the options of `startCluster`, and those of the command. */
export interface FileSettings extends Partial<ClusterOptions> {
  daemon?: boolean | undefined;
  logLevel?: string | undefined;
}

/** Every `require` of a process has the same cache. */
const { cache: required } = createRequire(import.meta.url);

const NAMES = ['js', 'mjs', 'cjs', 'json'].map((extension) => `signalbox.config.${extension}`);

/** The file that was named, or the one that is there; `undefined` where there is none. */
export function findConfigFile(named: string | undefined): string | undefined {
  if (named !== undefined) return resolve(named);
  return NAMES.map((name) => resolve(name)).find((path) => existsSync(path));
}

/**
 * Reads a file of settings: JSON, or a module with a default export.
 *
 * @throws {ClusterError} when it is missing, cannot be read, or exports no object
 */
export async function readConfigFile(path: string): Promise<FileSettings> {
  const content = await load(path);
  if (typeof content === 'object' && content !== null && !Array.isArray(content)) return content;
  throw new ClusterError('wrong_options', `${path} must have an object of settings as its default export`);
}

async function load(path: string): Promise<unknown> {
  try {
    if (extname(path) === '.json') return JSON.parse(await readFile(path, 'utf8'));
    // A module is kept under its address; another one for each state of the file has it read again.
    const { mtimeMs } = await stat(path);
    // One of CommonJS is kept under its path as well.
    Reflect.deleteProperty(required, await realpath(path));
    const module: unknown = await import(`${pathToFileURL(path).href}?changed=${mtimeMs}`);
    return (module as { default?: unknown }).default;
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT') {
      throw new ClusterError('wrong_options', `there is no file of settings ${path}`, { cause: error });
    }
    if (code === 'EACCES') throw fileError('read', path, error);
    const reason = error instanceof Error ? error.message : String(error);
    throw new ClusterError('wrong_options', `${path} cannot be read: ${reason}`, { cause: error });
  }
}
