import type { KnownNames } from './argv.js';
import type { ConfigProblem } from './config-error.js';
import { isOwnFile, type ConfigFile } from './files.js';
import type { Layer } from './layer.js';
import { oneLine } from './redact.js';
import { nearest } from './suggest.js';

/** Variables of every login, which mean what they mean. */
const ORDINARY = new Set(
  'EDITOR HOME HOSTNAME LANG LOGNAME MAIL OLDPWD PATH PWD SHELL SHLVL TEMP TERM TMP TMPDIR TZ USER'.split(
    ' ',
  ),
);

/** Names in a place that are nobody's, but close to a setting's. */
export interface Findings {
  problems: ConfigProblem[];
  warnings: string[];
}

/**
 * Finds the slips in an environment, or in a file that may be shared with other programs.
 *
 * Somebody else's variable may well resemble one of ours, so this warns. A misspelt `NAME_FILE` is an error: it
 * says that a secret exists, and without it the program would run on another one, or on none.
 */
export function findFindings(layer: Layer, known: KnownNames, isSet: (name: string) => boolean): Findings {
  const found: Findings = { problems: [], warnings: [] };
  const open = [...known.keys()].filter((name) => !isSet(name));
  for (const name of layer.values.keys()) {
    if (known.has(name) || ORDINARY.has(name) || !/^[A-Za-z][A-Za-z0-9_]*$/.test(name)) continue;
    const near = nearest(name, open);
    if (near === undefined) continue;
    const message = `${name} ${layer.from(name)} is not a setting; did you mean ${near}?`;
    if (name.toUpperCase().endsWith('_FILE')) found.problems.push({ name, message, source: layer.source });
    else found.warnings.push(message);
  }
  return found;
}

/** Every name in the program's own file that is not a setting. */
function findUnknown(layer: Layer, known: KnownNames): ConfigProblem[] {
  return [...layer.values.keys()]
    .filter((name) => !known.has(name) && name !== '$schema')
    .map((name) => {
      const near = nearest(name, known.keys());
      const hint = near === undefined ? '' : `; did you mean ${near}?`;
      return {
        name: oneLine(name),
        message: `${oneLine(name)} ${layer.from(name)} is not a setting${hint}`,
        source: layer.source,
      };
    });
}

/** Looks through a file by its kind. */
export function findInFile(
  file: ConfigFile,
  layer: Layer,
  known: KnownNames,
  isSet: (name: string) => boolean,
): Findings {
  return isOwnFile(file)
    ? { problems: findUnknown(layer, known), warnings: [] }
    : findFindings(layer, known, isSet);
}
