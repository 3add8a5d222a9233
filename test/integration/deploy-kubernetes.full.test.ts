import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import {
  GRACE_SECONDS,
  PRE_STOP_SECONDS,
  SECRET_NAMES,
} from '../../examples/orchestrator/deploy/generate/figures.js';
import { temporaryFolder } from '../support/keeper.js';
import { kubernetesTools, type Tool } from './deploy-tools.js';

const DEPLOY = fileURLToPath(new URL('../../examples/orchestrator/deploy/', import.meta.url));
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const CHART = join(DEPLOY, 'helm');

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: unknown;
}

let kubectl: Tool;
let helm: Tool;

beforeAll(async () => {
  ({ kubectl, helm } = await kubernetesTools());
}, 120_000);

function manifests(text: string): Manifest[] {
  return parseAllDocuments(text).map((document) => document.toJS() as Manifest);
}

function one(all: readonly Manifest[], kind: string): Manifest {
  const found = all.filter((manifest) => manifest.kind === kind);
  if (found.length !== 1 || found[0] === undefined) throw new Error(`${found.length} of kind ${kind}`);
  return found[0];
}

/** Where kubernetes-types has the kinds, by their API version. */
const TYPED = /^(v1|(apps|autoscaling|policy|networking)(\.k8s\.io)?\/v\d)$/;

/** What the compiler objects to, with fields that no kind has among it. */
async function complaintsAbout(all: readonly Manifest[]): Promise<string> {
  const lines = all
    .filter(({ apiVersion }) => TYPED.test(apiVersion))
    .map((manifest, index) => {
      const { apiVersion, kind } = manifest;
      const from = apiVersion === 'v1' ? 'core/v1' : apiVersion.replace('.k8s.io', '');
      return `import type { ${kind} as K${index} } from 'kubernetes-types/${from}.js';
export const m${index}: K${index} = ${JSON.stringify(manifest)};`;
    });
  // Beside the package that has the types, so that they are found.
  const folder = join(DEPLOY, '../node_modules/.manifests');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'manifests.ts');
  writeFileSync(file, lines.join('\n'));
  const args = ['--noEmit', '--strict', '--module', 'nodenext', '--types', '', '--ignoreConfig', file];
  try {
    await promisify(execFile)(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), ...args]);
    return '';
  } catch (error) {
    return String(Reflect.get(Object(error), 'stdout'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const GIVEN = ['--set', 'existingSecret=given', '--set', 'serviceMonitor.enabled=true'];
const rendered = async (...args: readonly string[]): Promise<Manifest[]> =>
  manifests(await helm('template', 'signalbox-orchestrator', CHART, ...args));

describe('kustomize', () => {
  it.each(['staging', 'production'])('makes whole manifests of the overlay %s', async (overlay) => {
    const all = manifests(await kubectl('kustomize', join(DEPLOY, 'kubernetes/overlays', overlay)));

    expect(all.map(({ kind }) => kind).toSorted()).toEqual([
      'ConfigMap',
      'Deployment',
      'HorizontalPodAutoscaler',
      'Ingress',
      'Namespace',
      'NetworkPolicy',
      'PodDisruptionBudget',
      'PrometheusRule',
      'Secret',
      'Service',
      'ServiceAccount',
      'ServiceMonitor',
    ]);
    expect(await complaintsAbout(all)).toBe('');
    // Whoever names the secret names the one with the hash.
    const secret = one(all, 'Secret').metadata.name;
    expect(JSON.stringify(one(all, 'Deployment').spec)).toContain(`"secretRef":{"name":"${secret}"}`);
    expect(JSON.stringify(one(all, 'ServiceMonitor').spec)).toContain(`"name":"${secret}"`);
  });

  it.each([
    ['base', ['Resource']],
    ['overlays/staging', ['Resource']],
    ['overlays/production', ['Resource', 'Pods']],
  ])('has the autoscaler of %s go by %j', async (folder, types) => {
    const all = manifests(await kubectl('kustomize', join(DEPLOY, 'kubernetes', folder)));
    const metrics = types.map((type) => expect.objectContaining({ type }) as object);
    expect(one(all, 'HorizontalPodAutoscaler').spec).toMatchObject({ metrics });
  });

  it('lets the autoscaler go by requests, too, where the component is asked for', async () => {
    const folder = temporaryFolder('overlay');
    cpSync(join(DEPLOY, 'kubernetes'), join(folder.path, 'kubernetes'), { recursive: true });
    mkdirSync(join(folder.path, 'mine'));
    writeFileSync(
      join(folder.path, 'mine/kustomization.yaml'),
      'resources: [../kubernetes/base]\ncomponents: [../kubernetes/components/requests]\n',
    );

    const all = manifests(await kubectl('kustomize', join(folder.path, 'mine')));

    expect(await complaintsAbout(all)).toBe('');
    const byHelm = await rendered(...GIVEN, '--set', 'autoscaling.requestsPerSecond=100');
    expect(one(all, 'HorizontalPodAutoscaler').spec).toEqual(one(byHelm, 'HorizontalPodAutoscaler').spec);
    expect(one(all, 'HorizontalPodAutoscaler').spec).toMatchObject({
      metrics: [{ type: 'Resource' }, { type: 'Pods' }],
    });
    folder.remove();
  });

  it('would not pass with a field that no kind has', async () => {
    const [deployment] = manifests(await kubectl('kustomize', join(DEPLOY, 'kubernetes/base'))).filter(
      ({ kind }) => kind === 'Deployment',
    );

    const wrong = { ...Object(deployment), spec: { ...Object(deployment?.spec), replcas: 3 } } as Manifest;
    expect(await complaintsAbout([wrong])).toContain('replcas');
  });

  it('puts real secrets in the place of the placeholders, from a folder outside', async () => {
    const folder = temporaryFolder('overlay');
    cpSync(join(DEPLOY, 'kubernetes'), join(folder.path, 'kubernetes'), { recursive: true });
    mkdirSync(join(folder.path, 'mine'));
    writeFileSync(
      join(folder.path, 'mine/kustomization.yaml'),
      `resources: [../kubernetes/overlays/production]
secretGenerator:
  - { name: signalbox-orchestrator, namespace: signalbox, behavior: merge, envs: [secrets.env] }
`,
    );
    writeFileSync(
      join(folder.path, 'mine/secrets.env'),
      SECRET_NAMES.map((name) => `${name}=real-${name}\n`).join(''),
    );

    const all = manifests(await kubectl('kustomize', join(folder.path, 'mine')));

    const values = Object.values(one(all, 'Secret').data ?? {});
    expect(values.map((value) => Buffer.from(value, 'base64').toString()).toSorted()).toEqual(
      SECRET_NAMES.map((name) => `real-${name}`).toSorted(),
    );
    folder.remove();
  });
});

describe('the chart', () => {
  it('is found to be in order', async () => {
    expect(await helm('lint', '--strict', CHART, ...GIVEN)).toContain('0 chart(s) failed');
  });

  it('gives the same pods, limits and policies as kustomize', async () => {
    const byHelm = await rendered(...GIVEN);
    const byKustomize = manifests(await kubectl('kustomize', join(DEPLOY, 'kubernetes/base')));

    expect(await complaintsAbout(byHelm)).toBe('');
    for (const kind of ['HorizontalPodAutoscaler', 'Ingress']) {
      expect(one(byHelm, kind).spec).toEqual(one(byKustomize, kind).spec);
    }
    for (const kind of ['PodDisruptionBudget', 'NetworkPolicy', 'Service', 'Deployment']) {
      expect(withoutNames(one(byHelm, kind))).toEqual(withoutNames(one(byKustomize, kind)));
    }
    expect(one(byHelm, 'ConfigMap').data).toEqual(one(byKustomize, 'ConfigMap').data);
  });

  it('leaves out what is turned off', async () => {
    const off = ['ingress', 'autoscaling', 'disruptionBudget', 'networkPolicy', 'serviceMonitor'];
    const all = await rendered(...GIVEN, ...off.flatMap((part) => ['--set', `${part}.enabled=false`]));

    expect(all.map(({ kind }) => kind).toSorted()).toEqual([
      'ConfigMap',
      'Deployment',
      'Service',
      'ServiceAccount',
    ]);
    expect(Reflect.get(Object(one(all, 'Deployment').spec), 'replicas')).toBe(3);
  });

  it.each([
    [[], 'secrets.DATABASE_URL is missing: give it, or existingSecret'],
    [[...GIVEN, '--set', 'replcas=2'], "additional properties 'replcas' not allowed"],
    [
      [...GIVEN, '--set', `preStopSeconds=${PRE_STOP_SECONDS + 1}`],
      `terminationGracePeriodSeconds must be at least ${GRACE_SECONDS + 1}`,
    ],
    [[...GIVEN, '--set', 'publicUrl=search.example.org'], "at '/publicUrl'"],
    [
      [...GIVEN, '--set', 'settings.PUBLIC_URL=https://other.example'],
      'settings.PUBLIC_URL must not be given: it is made of publicUrl',
    ],
    [[...GIVEN, '--set-string', 'settings.PORT=9000'], 'settings.PORT must not be given'],
    [[...GIVEN, '--kube-version', '1.29.0'], 'incompatible with Kubernetes v1.29.0'],
  ])('refuses %j', async (args, message) => {
    await expect(rendered(...args)).rejects.toThrow(message);
  });
});

/** Labels, hashes and names that each way has of its own. */
function withoutNames({ spec }: Manifest): unknown {
  const text = JSON.stringify(spec, (key, value: unknown) =>
    ['labels', 'annotations', 'matchLabels', 'selector', 'envFrom'].includes(key) ? undefined : value,
  );
  return JSON.parse(text);
}
