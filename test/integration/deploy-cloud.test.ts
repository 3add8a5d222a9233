import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { DRAIN_TOTAL_MS } from '../../examples/orchestrator/src/deadlines.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const DEPLOY = join(ROOT, 'examples/orchestrator/deploy');
const CLOUD = join(DEPLOY, 'cloud');

const text = (path: string): string => readFileSync(join(CLOUD, path), 'utf8');
const drainSeconds = DRAIN_TOTAL_MS / 1_000;

/** Every value that stands at a key of this name, however deep. */
function allOf(key: string, value: unknown): unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [
    ...(name === key ? [inner] : []),
    ...allOf(key, inner),
  ]);
}

describe('the secrets of the clouds', () => {
  const secrets = Object.keys(parseEnv(readFileSync(join(DEPLOY, 'kubernetes/base/secrets.env'), 'utf8')));

  it.each([
    ['aws/task-definition.json', 'environment'],
    ['gcp/service.yaml', 'env'],
    ['azure/container-app.yaml', 'env'],
    ['azure/container-group.yaml', 'environmentVariables'],
  ])('stand nowhere in %s', (path, list) => {
    const variables = allOf(list, parse(text(path))).flat() as { name: string; value?: string }[];
    const plain = variables.filter(({ value }) => value !== undefined).map(({ name }) => name);

    expect(plain).toContain('PUBLIC_URL');
    expect(plain.filter((name) => secrets.includes(name))).toEqual([]);
    for (const name of secrets) expect(text(path)).toContain(name);
  });
});

describe('the time to drain', () => {
  it('is longer than the app takes, and no longer than Fargate gives', () => {
    const [stopTimeout] = allOf('stopTimeout', parse(text('aws/task-definition.json')));

    expect(stopTimeout).toBeGreaterThan(drainSeconds);
    expect(stopTimeout).toBeLessThanOrEqual(120);
  });

  it('is longer than the app takes in Container Apps', () => {
    const [grace] = allOf('terminationGracePeriodSeconds', parse(text('azure/container-app.yaml')));

    expect(grace).toBeGreaterThan(drainSeconds);
  });
});

describe('what the clouds are strict about', () => {
  it('is kept: Cloud Run gives the port by itself', () => {
    const names = (allOf('env', parse(text('gcp/service.yaml'))).flat() as { name: string }[]).map(
      ({ name }) => name,
    );

    expect(names).toContain('HOST');
    expect(names).not.toContain('PORT');
  });

  it('is kept: the load balancer gives up a connection before the app does', () => {
    const [idle] = allOf('Value', parse(text('aws/load-balancer-attributes.json')));

    expect(Number(idle)).toBeGreaterThan(30);
    expect(Number(idle)).toBeLessThan(75);
  });

  it('is kept: the Procfile starts a program that is there', () => {
    const [, program = ''] = /^web: node (\S+)$/m.exec(text('Procfile')) ?? [];

    expect(statSync(join(ROOT, program)).isFile()).toBe(true);
  });

  it('has a line in the README for each file', () => {
    const readme = text('README.md');
    const files = readdirSync(CLOUD, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name !== 'README.md')
      .map(({ name }) => name);

    expect(files.filter((name) => !readme.includes(name))).toEqual([]);
  });
});
