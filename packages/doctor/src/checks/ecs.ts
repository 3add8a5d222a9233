import { found, type Finding } from '../finding.js';
import { asList, asRecord, asText, type TextFile } from '../folder/read-folder.js';
import type { Setup } from '../folder/setup.js';
import { processCode } from './dockerfile.js';
import { checkGrace, drainOf } from './grace.js';
import { checkSettings } from './settings.js';

type Container = Readonly<Record<string, unknown>>;

/** The containers of a task definition of Amazon ECS, or `undefined` where the file is none. */
export function taskContainers({ text }: TextFile): Container[] | undefined {
  if (!text.includes('"containerDefinitions"')) return undefined;
  const list = asRecord(JSON.parse(text))?.['containerDefinitions'];
  if (!Array.isArray(list)) return undefined;
  return asList(list).flatMap((each) => {
    const container = asRecord(each);
    return container === undefined ? [] : [container];
  });
}

export function checkTask(
  { path }: TextFile,
  containers: readonly Container[],
  drainMs: number | undefined,
): Finding[] {
  return containers.flatMap((container) => {
    const where = `${path}: ${asText(container['name'])}`;
    const setup = setupOf(container, where);
    // A sidecar beside the app, such as one for logs, is not essential, or has no port.
    const isApp = container['essential'] !== false && asList(container['portMappings']).length > 0;
    const findings = checkSettings(setup, false, isApp);
    const image = asText(container['image']);
    if (!/@sha256:|:(?!latest$)[\w.-]+$/.test(image) && !/[$<{]/.test(image)) {
      findings.push(found('SBX404', where, image));
    }
    if (container['privileged'] === true) findings.push(found('SBX425', where));
    const code = processCode(
      [...asList(container['entryPoint']), ...asList(container['command'])].map(asText),
    );
    if (code !== undefined) findings.push(found(code, where));
    // What it waits by itself before it kills.
    const graceMs = Number(container['stopTimeout'] ?? 30) * 1_000;
    return isApp ? [...findings, ...checkGrace(graceMs, drainOf(drainMs, setup), where)] : findings;
  });
}

function setupOf(container: Container, where: string): Setup {
  const values = new Map<string, string>();
  for (const entry of asList(container['environment'])) {
    values.set(asText(asRecord(entry)?.['name']), asText(asRecord(entry)?.['value']));
  }
  for (const entry of asList(container['secrets'])) {
    values.set(asText(asRecord(entry)?.['name']), '${from elsewhere}');
  }
  const megabytes = Number(container['memory'] ?? 0);
  return {
    where,
    values,
    complete: container['environmentFiles'] === undefined,
    published: true,
    contained: true,
    replicas: 1,
    memoryBytes: megabytes > 0 ? megabytes * 1024 ** 2 : undefined,
  };
}
