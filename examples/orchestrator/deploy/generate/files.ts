import { cloudFiles } from './cloud.js';
import { textOf, type Files } from './content.js';
import { helmFiles } from './helm.js';
import { kubernetesFiles } from './kubernetes.js';
import { monitoringFiles } from './monitoring.js';

/** Every generated file, by its path within `deploy`. */
export async function deploymentFiles(): Promise<ReadonlyMap<string, string>> {
  const all: Files = {
    ...kubernetesFiles(),
    ...helmFiles(),
    ...cloudFiles(),
    ...(await monitoringFiles()),
  };
  return new Map(Object.entries(all).map(([path, content]) => [path, textOf(path, content)]));
}
