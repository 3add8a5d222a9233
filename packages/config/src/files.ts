import { readFileSync, statSync } from 'node:fs';
import { extname } from 'node:path';
import { parseEnv } from 'node:util';
import type { ConfigProblem } from './config-error.js';
import type { Layer, Reading } from './layer.js';
import { oneLine } from './redact.js';

/** A file with settings. */
export interface ConfigFile {
  /** JSON where the name ends in `.json`, lines of `NAME=value` otherwise. Relative to the working directory. */
  path: string;
  /**
   * Whether the file may be missing.
   * @default false
   */
  optional?: boolean | undefined;
}

const MAX_SETTINGS_BYTES = 1024 * 1024;
const MAX_VALUE_BYTES = 64 * 1024;

/** Reads a file of settings. */
export function readSettings({ path, optional = false }: ConfigFile): Reading {
  const values = new Map<string, unknown>();
  const shownPath = oneLine(path);
  const source = `file:${shownPath}`;
  const layer: Layer = { source, values, spell: (name) => name, from: () => `from ${shownPath}` };
  const problems: ConfigProblem[] = [];

  const content = readText(path, MAX_SETTINGS_BYTES);
  if (content instanceof Unreadable) {
    if (!(optional && content.missing)) {
      problems.push({ name: shownPath, message: `${shownPath} ${content.message}`, source });
    }
    return { layer, problems };
  }
  const parsed = extname(path) === '.json' ? parseJson(content) : parseEnv(content);
  if (parsed === undefined) {
    problems.push({ name: shownPath, message: `${shownPath} must hold one JSON object`, source });
  }
  for (const [name, value] of Object.entries(parsed ?? {})) values.set(name, value);
  return { layer, problems };
}

/** Whether names that nobody knows are mistakes: JSON is the program's own, a `.env` may be shared. */
export function isOwnFile({ path }: ConfigFile): boolean {
  return extname(path) === '.json';
}

function parseJson(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    // The parser's message quotes the text, which may hold a secret.
    return undefined;
  }
}

/** The value that stands in a file of its own, without the line break at its end. */
export function readValue(path: string): string | Unreadable {
  const content = readText(path, MAX_VALUE_BYTES);
  return content instanceof Unreadable ? content : content.replace(/\r?\n$/, '');
}

/** Why a file has no text, as the predicate of a sentence about it. */
export class Unreadable {
  constructor(
    readonly message: string,
    readonly missing = false,
  ) {}
}

function readText(path: string, maxBytes: number): string | Unreadable {
  try {
    // A pipe or a device could be read for ever. As bigint: after a pipe Node's `require` would follow no links else.
    const stats = statSync(path, { bigint: true });
    if (!stats.isFile()) return new Unreadable('is not a regular file');
    if (stats.size > maxBytes) return new Unreadable(`is larger than ${maxBytes / 1024} KiB`);
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
  } catch (error) {
    return new Unreadable(...explain(error));
  }
}

function explain(error: unknown): [message: string, missing: boolean] {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT' || code === 'ENOTDIR') return ['does not exist', true];
  if (code === 'EACCES' || code === 'EPERM') return ['may not be read by this user', false];
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return ['is not UTF-8 text', false];
  return [`could not be read${code === undefined ? '' : ` (${code})`}`, false];
}
