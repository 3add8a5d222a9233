import { chmodSync, cpSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { DRAIN_TOTAL_MS } from '../../examples/orchestrator/src/deadlines.js';
import { temporaryFolder } from '../support/keeper.js';
import { startProgram } from '../support/program.js';
import { blocksOf } from '../workspace/markdown.js';

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

describe('the role by which ECS starts a task', () => {
  interface Statement {
    Action: string | string[];
    Resource: string;
  }
  const task = text('aws/task-definition.json');
  const { Statement: statements } = parse(text('aws/execution-policy.json')) as { Statement: Statement[] };
  const resourceOf = (action: string): string | undefined =>
    statements.find((each) => [each.Action].flat().includes(action))?.Resource;

  it('may read the one secret that the task names, by its whole name', () => {
    const [secrets] = allOf('secrets', parse(task)) as [{ name: string; valueFrom: string }[]];
    const secret = resourceOf('secretsmanager:GetSecretValue');

    expect(secret).toMatch(/:secret:signalbox\/orchestrator-\w{6}$/);
    expect(secrets.map(({ valueFrom }) => valueFrom)).toEqual(
      secrets.map(({ name }) => `${secret}:${name}::`),
    );
  });

  it('may fetch the image of the task, and write its log', () => {
    const [image] = allOf('image', parse(task));
    const [group] = allOf('awslogs-group', parse(task));

    expect(resourceOf('ecr:BatchGetImage')).toMatch(/:repository\/signalbox-orchestrator$/);
    expect(image).toMatch(/\.amazonaws\.com\/signalbox-orchestrator:/);
    expect(resourceOf('logs:PutLogEvents')).toMatch(new RegExp(`:log-group:${String(group)}:\\*$`));
  });

  it('may do nothing else, and nothing everywhere but log in', () => {
    expect(statements.filter(({ Resource }) => Resource === '*').flatMap(({ Action }) => Action)).toEqual([
      'ecr:GetAuthorizationToken',
    ]);
    expect(statements).toHaveLength(4);
  });
});

describe('the commands for AWS', () => {
  // What the CLI prints when it is asked for one name; of everything else it prints nothing here.
  const AWS = `#!/bin/sh
echo "$1 $2" >>"$CALLS"
case "$*" in
*GroupId*) echo sg-0fedcba9876543210 ;;
*LoadBalancerArn*) echo arn:aws:elasticloadbalancing:eu-west-1:999988887777:loadbalancer/app/signalbox/fedcba9876543210 ;;
*TargetGroupArn*--output*) echo arn:aws:elasticloadbalancing:eu-west-1:999988887777:targetgroup/signalbox/fedcba9876543210 ;;
*create-secret*) echo arn:aws:secretsmanager:eu-west-1:999988887777:secret:signalbox/orchestrator-XyZ123 ;;
*get-caller-identity*) echo 999988887777 ;;
esac
`;
  const YOURS: Readonly<Record<string, string>> = {
    AWS_REGION: 'eu-west-1',
    VPC: 'vpc-0fedcba9876543210',
    PRIVATE_A: 'subnet-0fedcba987654321a',
    PRIVATE_B: 'subnet-0fedcba987654321b',
  };

  it('fill in every file, and have a listener before the service that needs one', async () => {
    const folder = temporaryFolder('clouds').path;
    cpSync(CLOUD, join(folder, 'examples/orchestrator/deploy/cloud'), { recursive: true });
    for (const [name, script] of [
      ['aws', AWS],
      ['docker', '#!/bin/sh\n'],
    ] as const) {
      writeFileSync(join(folder, name), script);
      chmodSync(join(folder, name), 0o755);
    }
    const commands = blocksOf(section('AWS ECS on Fargate'))
      .map(({ text: block }) => block)
      .join('\n')
      .replaceAll(/^(export )?([A-Z_]+)=\S+$/gm, (line, exported = '', name: string) =>
        name in YOURS ? `${exported}${name}=${YOURS[name]}` : line,
      );
    const shell = await startProgram('bash', ['-euc', commands], {
      cwd: folder,
      env: { PATH: `${folder}:${process.env.PATH}`, CALLS: join(folder, 'calls'), EDITOR: 'true' },
    });
    expect(await shell.exited, shell.output()).toEqual({ code: 0, signal: null });

    const mine = join(folder, 'mine/aws');
    const files = readdirSync(mine).filter((name) => name.endsWith('.json'));
    expect(files).toHaveLength(7);
    const placeholder = /111122223333|eu-central-1|0123456789abcdef|AbCdEf/;
    for (const name of files) expect(readFileSync(join(mine, name), 'utf8'), name).not.toMatch(placeholder);
    const { loadBalancers, networkConfiguration } = parse(readFileSync(join(mine, 'service.json'), 'utf8'));
    expect(loadBalancers[0].targetGroupArn).toMatch(/:999988887777:targetgroup\//);
    expect(networkConfiguration.awsvpcConfiguration).toMatchObject({
      subnets: [YOURS['PRIVATE_A'], YOURS['PRIVATE_B']],
      securityGroups: ['sg-0fedcba9876543210'],
    });

    const calls = readFileSync(join(folder, 'calls'), 'utf8').split('\n');
    const listeners = calls.filter((call) => call === 'elbv2 create-listener');
    expect(listeners).toHaveLength(2);
    expect(calls.lastIndexOf('elbv2 create-listener')).toBeLessThan(calls.indexOf('ecs create-service'));
  });

  function section(title: string): string {
    const readme = text('README.md');
    const start = readme.indexOf(`## ${title}\n`);
    return readme.slice(start, readme.indexOf('\n## ', start));
  }
});

describe('what the clouds are strict about', () => {
  it('is kept: Container Apps takes ten failures of a probe, and no more', () => {
    const [probes] = allOf('probes', parse(text('azure/container-app.yaml'))) as [
      { type: string; periodSeconds: number; failureThreshold: number }[],
    ];
    const startup = probes.find(({ type }) => type === 'Startup');

    expect(Math.max(...probes.map(({ failureThreshold }) => failureThreshold))).toBeLessThanOrEqual(10);
    expect((startup?.failureThreshold ?? 0) * (startup?.periodSeconds ?? 0)).toBe(60);
  });

  it('is kept: the identity that reads the secrets of Container Apps is there before the app', () => {
    const { identity, properties } = parse(text('azure/container-app.yaml'));
    const identities = Object.keys(identity.userAssignedIdentities);
    const readers = allOf('identity', properties.configuration);

    expect(identity.type).toBe('UserAssigned');
    expect(new Set(readers)).toEqual(new Set(identities));
  });

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
