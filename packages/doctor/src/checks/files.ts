import { found, type Finding } from '../finding.js';
import type { Folder, TextFile } from '../folder/read-folder.js';
import { checkCompose, composeServices } from './compose.js';
import { baseOf, checkOverride } from './compose-override.js';
import { checkDockerfile, isDockerfile } from './dockerfile.js';
import { checkTask, taskContainers } from './ecs.js';
import { checkKubernetes, kubernetesObjects, type Manifest } from './kubernetes.js';
import { checkNginx, isNginx } from './nginx.js';
import { checkPm2, checkProcfile, checkUnit } from './supervisors.js';

/** What the files of the deployment showed, and which of them were looked at. */
export interface Examined {
  readonly findings: readonly Finding[];
  readonly files: readonly string[];
}

export function checkFiles(folder: Folder, drainMs: number | undefined, hasRedis: boolean): Examined {
  const findings: Finding[] = [];
  const files: string[] = [];
  // What belongs together lies in one folder: an overlay has names of its own.
  const objects = new Map<string, Manifest[]>();

  for (const file of folder.files) {
    const result = checkFile(file, folder, drainMs, hasRedis, objects);
    if (result === undefined) continue;
    files.push(file.path);
    findings.push(...result);
  }
  for (const group of objects.values()) findings.push(...checkKubernetes(group, drainMs));
  return { findings, files };
}

/** @returns `undefined` for a file that is none of these */
function checkFile(
  file: TextFile,
  folder: Folder,
  drainMs: number | undefined,
  hasRedis: boolean,
  objects: Map<string, Manifest[]>,
): Finding[] | undefined {
  const { path, text } = file;
  if (isDockerfile(path)) return checkDockerfile(file, folder);
  if (path.endsWith('.service')) return checkUnit(file, drainMs);
  if (/(?:^|\/)Procfile$/.test(path)) return checkProcfile(file);
  if (/ecosystem\.config\.[cm]?js$/.test(path)) return checkPm2(file, drainMs, hasRedis);
  if (isNginx(file)) return checkNginx(file);
  if (!/\.(?:ya?ml|json)$/.test(path)) return undefined;
  try {
    if (path.endsWith('.json')) {
      const containers = taskContainers(file);
      return containers && checkTask(file, containers, drainMs);
    }
    const services = composeServices(text);
    if (services !== undefined) {
      const base = baseOf(file, folder);
      return base === undefined
        ? checkCompose(file, services, folder, drainMs)
        : checkOverride(file, services, base, folder, drainMs);
    }
    const found = kubernetesObjects(file);
    if (found.length === 0) return undefined;
    const group = path.replace(/[^/]*$/, '');
    objects.set(group, [...(objects.get(group) ?? []), ...found]);
    return [];
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    return [found('SBX448', path, reason)];
  }
}
