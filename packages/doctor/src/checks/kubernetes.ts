import { parseAllDocuments } from 'yaml';
import { found, type Finding } from '../finding.js';
import { readBytes, readMs } from '../folder/duration.js';
import { asList, asRecord, asText, type TextFile } from '../folder/read-folder.js';
import type { Setup } from '../folder/setup.js';
import { processCode } from './dockerfile.js';
import { checkGrace, drainOf } from './grace.js';
import { checkSettings } from './settings.js';
import { isFilledIn, isSecretName } from './secrets.js';

type Part = Readonly<Record<string, unknown>>;

/** One object of Kubernetes. */
export interface Manifest {
  readonly where: string;
  readonly kind: string;
  readonly name: string;
  readonly content: Part;
}

/** The objects in a file; none where it holds something else, or is a template of Helm. */
export function kubernetesObjects({ path, text }: TextFile): Manifest[] {
  if (text.includes('{{') || !/^kind:/m.test(text) || !/^apiVersion:/m.test(text)) return [];
  return parseAllDocuments(text).flatMap((document) => {
    const [fault] = document.errors;
    if (fault !== undefined) throw fault;
    const content = asRecord(document.toJS());
    const kind = asText(content?.['kind']);
    if (content === undefined || kind === '') return [];
    const name = asText(asRecord(content['metadata'])?.['name']);
    return [{ where: `${path}: ${kind} ${name}`, kind, name, content }];
  });
}

const at = (part: unknown, ...path: string[]): unknown =>
  path.reduce<unknown>((value, key) => asRecord(value)?.[key], part);

const WORKLOADS = /^(?:Deployment|StatefulSet|DaemonSet)$/;

export function checkKubernetes(objects: readonly Manifest[], drainMs: number | undefined): Finding[] {
  const workloads = objects.filter(isWhole);
  return [
    ...workloads.flatMap((workload) => checkWorkload(workload, objects, drainMs)),
    ...objects
      .filter(({ kind }) => kind === 'Service')
      .flatMap((service) => checkService(service, workloads)),
    ...objects
      .filter(({ kind }) => kind === 'PodDisruptionBudget')
      .flatMap((budget) => checkBudget(budget, workloads, objects)),
    ...objects.filter(({ kind }) => kind === 'ConfigMap').flatMap(checkConfigMap),
    ...objects.filter(({ kind }) => kind === 'Secret').flatMap(checkSecret),
  ];
}

/** A patch of kustomize has no image and no selector: what it lacks stands elsewhere. */
function isWhole({ kind, content }: Manifest): boolean {
  return (
    WORKLOADS.test(kind) && at(content, 'spec', 'selector') !== undefined && containersOf(content).length > 0
  );
}

function podOf(content: Part): Part {
  return asRecord(at(content, 'spec', 'template', 'spec')) ?? {};
}

function containersOf(content: Part): Part[] {
  return asList(podOf(content)['containers']).flatMap((each) => {
    const container = asRecord(each);
    return container === undefined || asText(container['image']) === '' ? [] : [container];
  });
}

function checkWorkload(
  workload: Manifest,
  objects: readonly Manifest[],
  drainMs: number | undefined,
): Finding[] {
  const { where, content, kind } = workload;
  const pod = podOf(content);
  const findings: Finding[] = [];
  const grace = Number(pod['terminationGracePeriodSeconds'] ?? 30) * 1_000;
  const replicas = replicasOf(workload, objects);
  if (replicas === 1 && kind === 'Deployment') findings.push(found('SBX447', where));
  const unavailable = asText(at(content, 'spec', 'strategy', 'rollingUpdate', 'maxUnavailable'));
  if (at(content, 'spec', 'strategy', 'type') === 'Recreate' || unavailable === '100%')
    findings.push(found('SBX445', where));
  if (
    !fits(
      at(content, 'spec', 'selector', 'matchLabels'),
      at(content, 'spec', 'template', 'metadata', 'labels'),
    )
  ) {
    findings.push(found('SBX446', where));
  }
  for (const container of containersOf(content)) {
    const name = `${where}: ${asText(container['name'])}`;
    const setup = setupOf(container, name, objects, replicas);
    const isApp = !/(?:postgres|redis|valkey|nginx|searxng|exporter)/.test(asText(container['image']));
    findings.push(...checkSettings(setup, false, isApp));
    findings.push(...checkContainer(container, pod, name));
    if (isApp) {
      findings.push(...checkGrace(grace, drainOf(drainMs, setup), where, preStopMs(container)));
      findings.push(...checkProbes(container, name));
    }
  }
  return findings;
}

/** A scaler decides over the figure of the deployment. */
function replicasOf({ name, content }: Manifest, objects: readonly Manifest[]): number {
  const scaler = objects.find(
    (each) =>
      each.kind === 'HorizontalPodAutoscaler' && at(each.content, 'spec', 'scaleTargetRef', 'name') === name,
  );
  return Number(at(scaler?.content, 'spec', 'minReplicas') ?? at(content, 'spec', 'replicas') ?? 1);
}

function setupOf(container: Part, where: string, objects: readonly Manifest[], replicas: number): Setup {
  const values = new Map<string, string>();
  const elsewhere = new Set<string>();
  let complete = true;
  for (const source of asList(container['envFrom'])) {
    const name = at(source, 'configMapRef', 'name');
    const map = objects.find((each) => each.kind === 'ConfigMap' && each.name === name);
    if (map === undefined) complete = false;
    for (const [key, value] of Object.entries(asRecord(map?.content['data']) ?? {})) {
      values.set(key, asText(value));
      elsewhere.add(key);
    }
  }
  for (const entry of asList(container['env'])) {
    const value = at(entry, 'value');
    const name = asText(at(entry, 'name'));
    values.set(name, value === undefined ? '${from elsewhere}' : asText(value));
    elsewhere.delete(name);
  }
  return {
    where,
    values,
    elsewhere,
    complete,
    published: true,
    contained: true,
    replicas,
    memoryBytes: readBytes(asText(at(container, 'resources', 'limits', 'memory'))),
  };
}

function checkContainer(container: Part, pod: Part, where: string): Finding[] {
  const findings: Finding[] = [];
  const image = asText(container['image']);
  if (!/@sha256:|:(?!latest$)[\w.-]+$/.test(image) && !image.includes('$'))
    findings.push(found('SBX404', where, image));
  if (at(container, 'resources', 'limits', 'memory') === undefined) findings.push(found('SBX442', where));
  const own = asRecord(container['securityContext']) ?? {};
  const shared = asRecord(pod['securityContext']) ?? {};
  const user = own['runAsUser'] ?? shared['runAsUser'];
  const isNonRoot = (own['runAsNonRoot'] ?? shared['runAsNonRoot']) === true;
  if (user === 0 || (!isNonRoot && user === undefined)) findings.push(found('SBX403', where));
  if (own['privileged'] === true) findings.push(found('SBX425', where));
  const command = asList(container['command']).map(asText);
  const code = processCode(command.length > 0 ? [...command, ...asList(container['args']).map(asText)] : []);
  if (code !== undefined) findings.push(found(code, where));
  return findings;
}

function checkProbes(container: Part, where: string): Finding[] {
  const findings: Finding[] = [];
  const ports = asList(container['ports']).flatMap((port) => [
    asText(at(port, 'containerPort')),
    asText(at(port, 'name')),
  ]);
  if (container['readinessProbe'] === undefined && ports.length > 0) findings.push(found('SBX440', where));
  const path = asText(at(container, 'livenessProbe', 'httpGet', 'path'));
  const readiness = asText(at(container, 'readinessProbe', 'httpGet', 'path'));
  if (path !== '' && (path === readiness || /ready|\/health(?:\/detailed)?$|\/status$/.test(path))) {
    findings.push(found('SBX441', where, path));
  }
  for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe']) {
    const port = asText(at(container, probe, 'httpGet', 'port') ?? at(container, probe, 'tcpSocket', 'port'));
    if (port !== '' && ports.length > 0 && !ports.includes(port))
      findings.push(found('SBX443', where, `${probe}: ${port}`));
  }
  return findings;
}

function preStopMs(container: Part): number {
  const seconds = at(container, 'lifecycle', 'preStop', 'sleep', 'seconds');
  if (typeof seconds === 'number') return seconds * 1_000;
  const command = asList(at(container, 'lifecycle', 'preStop', 'exec', 'command'))
    .map(asText)
    .join(' ');
  return readMs(/\bsleep\s+(\d+\w?)/.exec(command)?.[1] ?? '') ?? 0;
}

function fits(selector: unknown, labels: unknown): boolean {
  const wanted = Object.entries(asRecord(selector) ?? {});
  return wanted.every(([name, value]) => asRecord(labels)?.[name] === value);
}

function checkService({ where, content }: Manifest, workloads: readonly Manifest[]): Finding[] {
  const selector = asRecord(at(content, 'spec', 'selector'));
  if (selector === undefined || workloads.length === 0) return [];
  const targets = workloads.filter((each) =>
    fits(selector, at(each.content, 'spec', 'template', 'metadata', 'labels')),
  );
  if (targets.length === 0) return [found('SBX446', where)];
  const open = targets
    .flatMap((each) => containersOf(each.content))
    .flatMap((container) => asList(container['ports']))
    .flatMap((port) => [asText(at(port, 'containerPort')), asText(at(port, 'name'))]);
  return asList(at(content, 'spec', 'ports')).flatMap((port) => {
    const target = asText(at(port, 'targetPort') ?? at(port, 'port'));
    return open.length === 0 || open.includes(target) ? [] : [found('SBX443', where, `targetPort ${target}`)];
  });
}

function checkBudget(
  budget: Manifest,
  workloads: readonly Manifest[],
  objects: readonly Manifest[],
): Finding[] {
  const { where, content } = budget;
  const spec = asRecord(content['spec']) ?? {};
  const selector = at(spec, 'selector', 'matchLabels');
  const target = workloads.find((each) =>
    fits(selector, at(each.content, 'spec', 'template', 'metadata', 'labels')),
  );
  const isNone =
    asText(spec['maxUnavailable']) === '0' ||
    asText(spec['maxUnavailable']) === '0%' ||
    asText(spec['minAvailable']) === '100%' ||
    (target !== undefined && Number(spec['minAvailable'] ?? 0) >= replicasOf(target, objects));
  return isNone ? [found('SBX444', where)] : [];
}

function checkConfigMap({ where, content }: Manifest): Finding[] {
  return Object.entries(asRecord(content['data']) ?? {}).flatMap(([name, value]) =>
    isSecretName(name) && asText(value) !== '' && !isFilledIn(asText(value))
      ? [found('SBX405', `${where}: ${name}`)]
      : [],
  );
}

function checkSecret({ where, content }: Manifest): Finding[] {
  const values = new Map<string, string>();
  for (const [name, value] of Object.entries(asRecord(content['stringData']) ?? {}))
    values.set(name, asText(value));
  for (const [name, value] of Object.entries(asRecord(content['data']) ?? {})) {
    values.set(name, Buffer.from(asText(value), 'base64').toString());
  }
  const setup = { where, values, complete: false, published: true, contained: false, replicas: 1 };
  return checkSettings(setup, false, false);
}
