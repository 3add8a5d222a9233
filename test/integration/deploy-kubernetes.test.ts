import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { fileURLToPath } from 'node:url';
import { config, ConfigError } from '@signalbox/config';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import {
  APP,
  GRACE_SECONDS,
  PRE_STOP_SECONDS,
  SECRET_NAMES,
} from '../../examples/orchestrator/deploy/generate/figures.js';
import { deploymentFiles } from '../../examples/orchestrator/deploy/generate/files.js';
import { SETTINGS } from '../../examples/orchestrator/src/settings.js';

const DEPLOY = fileURLToPath(new URL('../../examples/orchestrator/deploy/', import.meta.url));
const made = await deploymentFiles();

const read = (path: string): string => readFileSync(`${DEPLOY}${path}`, 'utf8');
const strong = (name: string): string => Buffer.from(`${name} Zq3vT8xWk0pLr5`).toString('base64').repeat(2);

/** What the app says of these settings; nothing where it takes them. */
function problemOf(env: Readonly<Record<string, string | undefined>>): string {
  try {
    config(SETTINGS, { env, warn: () => undefined });
    return '';
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
}

describe('deployment files for several machines', () => {
  // vitest run -u writes them.
  it.each([...made])('%s is what the settings of the app make of it', async (path, text) => {
    await expect(text).toMatchFileSnapshot(`${DEPLOY}${path}`);
  });
});

describe('the settings in Kubernetes', () => {
  const settings = parseEnv(read('kubernetes/base/settings.env'));
  const placeholders = parseEnv(read('kubernetes/base/secrets.env'));
  const secrets = {
    SECRET_KEYS: strong('keys'),
    METRICS_TOKEN: strong('token'),
    DATABASE_URL: 'postgres://app:pw@postgres:5432/app',
    REDIS_URL: 'redis://redis:6379',
  };

  it('are taken by the app once there are secrets', () => {
    expect(problemOf({ ...settings, ...secrets })).toBe('');
  });

  it.each(SECRET_NAMES)('stop the start while %s is the placeholder', (name) => {
    const problem = problemOf({ ...settings, ...secrets, [name]: placeholders[name] });

    expect(problem).toContain(name);
  });

  it('have all instances, and those of an update, share the connections of a Postgres as it is installed', () => {
    const autoscaler = parse(read('kubernetes/base/autoscaler.yaml')) as { spec: { maxReplicas: number } };
    const connections = Number(settings['DATABASE_POOL']) * (autoscaler.spec.maxReplicas + 1);
    expect(connections).toBeGreaterThan(50);
    expect(connections).toBeLessThan(100);
  });
});

describe('the deployment in Kubernetes', () => {
  const { spec } = parse(read('kubernetes/base/deployment.yaml')) as {
    spec: {
      replicas?: number;
      template: {
        spec: {
          topologySpreadConstraints: { nodeTaintsPolicy?: string; matchLabelKeys?: string[] }[];
          terminationGracePeriodSeconds: number;
          containers: { lifecycle: { preStop: { sleep: { seconds: number } } } }[];
        };
      };
    };
  };

  it('is killed only after it slept and had its whole budget to drain', () => {
    const { terminationGracePeriodSeconds, containers } = spec.template.spec;
    const slept = containers[0]?.lifecycle.preStop.sleep.seconds ?? Number.NaN;

    expect(slept).toBe(PRE_STOP_SECONDS);
    expect(terminationGracePeriodSeconds).toBe(GRACE_SECONDS);
    expect(terminationGracePeriodSeconds).toBeGreaterThan(slept + APP.drainSeconds);
  });

  it.each([
    'base/deployment.yaml',
    'overlays/staging/kustomization.yaml',
    'overlays/production/kustomization.yaml',
  ])('is given no number of pods by %s, which an update would set back or be refused for', (path) => {
    expect(spec.replicas).toBeUndefined();
    expect(read(`kubernetes/${path}`)).not.toContain('/spec/replicas');
  });

  it('is spread over the nodes that take pods, and each version by itself', () => {
    const { topologySpreadConstraints } = spec.template.spec;

    expect(topologySpreadConstraints).toHaveLength(2);
    for (const constraint of topologySpreadConstraints) {
      expect(constraint).toMatchObject({ nodeTaintsPolicy: 'Honor', matchLabelKeys: ['pod-template-hash'] });
    }
  });
});

describe('the autoscaler in Kubernetes', () => {
  // One figure that it cannot get, and it adds pods but takes none away.
  it('goes by what every cluster with a metrics server has', () => {
    const { spec } = parse(read('kubernetes/base/autoscaler.yaml')) as {
      spec: { metrics: { type: string }[] };
    };

    expect(spec.metrics.map(({ type }) => type)).toEqual(['Resource']);
  });
});
