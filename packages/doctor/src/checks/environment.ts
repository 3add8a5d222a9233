import { execFileSync } from 'node:child_process';
import { basename, dirname, join } from 'node:path';
import { parseEnv } from 'node:util';
import { config, ConfigError } from '@signalbox/config';
import type { z } from 'zod';
import { found, type Finding } from '../finding.js';
import type { Folder, TextFile } from '../folder/read-folder.js';
import type { Setup } from '../folder/setup.js';
import { checkApp, checkSettings } from './settings.js';
import { isFilledIn, isSecretName, isToBeFilledIn } from './secrets.js';

const USED = /^\.env(?:\.prod(?:uction)?)?$|^[\w-]+\.env$/;

export type Environment = Readonly<Record<string, string | undefined>>;

/** The files of settings that hold for production; examples are for copying. */
function settingsFiles({ files }: Folder): TextFile[] {
  return files.filter(({ path }) => USED.test(basename(path)));
}

/** What the app would find: the files beside it, below what the environment says. */
export function environmentOf(folder: Folder, env: Environment): Record<string, string> {
  const beside = settingsFiles(folder).filter(({ path }) => !path.includes('/') && path.startsWith('.env'));
  const values: Record<string, string> = {};
  const layers: Environment[] = [...beside.map(({ text }) => parseEnv(text) as Environment), env];
  for (const layer of layers) {
    for (const [name, value] of Object.entries(layer)) if (value !== undefined) values[name] = value;
  }
  return values;
}

/** What is wrong with the settings: in each file, in the environment, and in all together. */
export function checkEnvironment(folder: Folder, env: Environment): Finding[] {
  const files = settingsFiles(folder);
  const whole = environmentOf(folder, env);
  const where = files.some(({ path }) => path.startsWith('.env')) ? '.env and environment' : 'environment';
  return [
    ...files.flatMap((file) => checkFile(file, folder.root)),
    ...checkSettings(setupOf('environment', env), true, false),
    // Without a program nobody knows what else it is given.
    ...checkApp({
      ...setupOf(where, whole),
      complete: folder.manifest?.folder === folder.root || files.length > 0,
    }),
    ...checkProfile(folder, whole),
  ];
}

function setupOf(where: string, env: Environment): Setup {
  const values = new Map<string, string>();
  for (const [name, value] of Object.entries(env)) if (value !== undefined) values.set(name, value);
  return { where, values, complete: true, published: false, contained: false, replicas: 1 };
}

function checkFile({ path, text }: TextFile, root: string): Finding[] {
  const values = parseEnv(text) as Environment;
  const secrets = Object.entries(values).filter(
    ([name, value = '']) => isSecretName(name) && value !== '' && !isFilledIn(value),
  );
  // What lies with the deployment is often there to be filled in; beside the app it is what the app starts with.
  if (path.includes('/') && secrets.length > 0 && secrets.every(([, value = '']) => isToBeFilledIn(value))) {
    return [found('SBX125', path, secrets.map(([name]) => name).join(', '))];
  }
  const findings = checkSettings(setupOf(path, values), false, false);
  if (secrets.length > 0 && isTracked(join(root, path))) findings.push(found('SBX124', path));
  return findings;
}

/** Whether git keeps the file. Without git, or outside of a repository, it does not. */
function isTracked(path: string): boolean {
  try {
    execFileSync('git', ['ls-files', '--error-unmatch', basename(path)], {
      cwd: dirname(path),
      stdio: 'ignore',
    });
    return true;
  } catch {
    return false;
  }
}

const SET = /NODE_ENV["']?\s*(?:[:=]|,?\s*value:)\s*["']?production/;

function checkProfile({ manifest, root, files }: Folder, values: Environment): Finding[] {
  if (manifest?.folder !== root || values['NODE_ENV'] !== undefined) return [];
  return files.some(({ text }) => SET.test(text)) ? [] : [found('SBX102', 'NODE_ENV')];
}

/** What the app's own schema says of its settings, as in production. */
export function checkSchema(schema: z.ZodObject, folder: Folder | undefined, env: Environment): Finding[] {
  try {
    const whole = folder === undefined ? env : environmentOf(folder, env);
    config(schema, { env: whole, profile: 'production', warn: () => undefined });
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ name, message }) => found('SBX109', name, message));
  }
}
