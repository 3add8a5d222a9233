import { PROFILES, type Profile } from './basics.js';
import type { ConfigFile } from './files.js';
import { nearest } from './suggest.js';

/** Where `config` looks. */
export interface ConfigOptions {
  /**
   * The environment.
   * @default process.env
   */
  env?: Readonly<Record<string, string | undefined>> | undefined;
  /**
   * Files of settings, `.json` or lines of `NAME=value`. What stands in a later one wins.
   * @default []
   */
  files?: readonly (string | ConfigFile)[] | undefined;
  /**
   * The program's arguments, without node and script: `process.argv.slice(2)`.
   * @default []
   */
  argv?: readonly string[] | undefined;
  /** How strict to be, instead of what `NODE_ENV` says. */
  profile?: Profile | undefined;
  /**
   * Told of what is odd but no reason to stop, in a sentence without secrets.
   * @default process.emitWarning
   */
  warn?: ((message: string) => void) | undefined;
}

/** {@link ConfigOptions} with nothing left open. */
export interface ResolvedOptions {
  env: Readonly<Record<string, string | undefined>>;
  files: readonly ConfigFile[];
  argv: readonly string[];
  profile: Profile | undefined;
  warn(message: string): void;
}

const OPTIONS = ['env', 'files', 'argv', 'profile', 'warn'];

/** Fills in the defaults, or throws a `TypeError` naming the bad option. */
export function resolveOptions(options: ConfigOptions): ResolvedOptions {
  for (const option of Object.keys(options)) {
    if (OPTIONS.includes(option)) continue;
    const near = nearest(option, OPTIONS);
    const hint = near === undefined ? '' : `; did you mean "${near}"?`;
    throw new TypeError(`config: there is no option "${option}"${hint}`);
  }
  const { env = process.env, files = [], argv = [], profile, warn = emitWarning } = options;
  if (typeof env !== 'object' || env === null) refuse('env', 'an object of variables', env);
  if (!Array.isArray(files)) refuse('files', 'a list of files', files);
  if (!isTexts(argv)) refuse('argv', 'a list of texts, such as process.argv.slice(2)', argv);
  if (profile !== undefined && !PROFILES.includes(profile)) {
    refuse('profile', 'development, test or production', profile);
  }
  if (typeof warn !== 'function') refuse('warn', 'a function', warn);
  return { env, files: files.map(toFile), argv, profile, warn };
}

function toFile(file: unknown): ConfigFile {
  const entry: Partial<ConfigFile> = typeof file === 'string' ? { path: file } : (file ?? {});
  const { path, optional = false } = entry;
  if (typeof path !== 'string' || path === '') refuse('files', 'paths or { path, optional }', file);
  if (typeof optional !== 'boolean') refuse('files', 'paths or { path, optional }', file);
  return { path, optional };
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string');
}

function refuse(option: string, wanted: string, value: unknown): never {
  throw new TypeError(`config: "${option}" must be ${wanted}, got ${JSON.stringify(value) ?? String(value)}`);
}

function emitWarning(message: string): void {
  process.emitWarning(message, { type: 'ConfigWarning', code: 'SIGNALBOX_CONFIG' });
}
