import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { config } from '@signalbox/config';
import { listen } from '@signalbox/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { MACHINE, machineFiles } from '../../examples/orchestrator/deploy/machine.js';
import { SETTINGS } from '../../examples/orchestrator/src/settings.js';
import { temporaryFolder } from '../support/keeper.js';
import { inNamespaces } from '../support/namespace.js';
import { startProgram } from '../support/program.js';
import { DOCKER, execForm, ignoring, readStages, restOf, variablesOf, type Stage } from './deploy-image.js';

const folder = fileURLToPath(new URL('../../examples/orchestrator/deploy/', import.meta.url));

describe('files that are made from the settings', () => {
  // `vitest run -u` writes them.
  it.each(Object.entries(machineFiles()))('%s is up to date', async (path, text) => {
    await expect(text).toMatchFileSnapshot(`${folder}${path}`);
  });

  it('show defaults as they can be written', () => {
    const lines = [...(machineFiles()['.env.example'] ?? '').matchAll(/^#([A-Z_]+)=(.+)$/gm)];
    const env = Object.fromEntries(lines.map(([, name = '', value = '']) => [name, value]));
    expect(lines.length).toBeGreaterThan(10);
    const made = { SECRET_KEYS: 'a-secret-of-a-test-that-is-made-up-0123456789' };
    expect(config(SETTINGS, { env: { ...made, ...env } })).toEqual(config(SETTINGS, { env: made }));
  });
});

describe('the Dockerfile', () => {
  const stages = readStages(join(DOCKER, 'Dockerfile'));
  const last = stages.at(-1) as Stage;

  it('compiles in one stage and runs in another, on the same image of a named version', () => {
    expect(stages.map(({ name }) => name)).toEqual(['build', undefined]);
    expect(new Set(stages.map(({ image }) => image))).toEqual(
      new Set(['node:${NODE_VERSION}-bookworm-slim']),
    );
    expect(restOf(last, 'RUN')).toEqual([]);
    expect(restOf(last, 'COPY')).toEqual(['--from=build /app/out /app']);
  });

  it('runs as a user by number that owns nothing, and with no shell in between', () => {
    expect(restOf(last, 'USER')).toEqual([`${MACHINE.user}:${MACHINE.user}`]);
    expect(restOf(last, 'CMD').map(execForm)).toEqual([['node', 'dist/main.js']]);
    expect(restOf(last, 'STOPSIGNAL')).toEqual(['SIGTERM']);
  });

  it('listens where the app does, and asks it there how it is', () => {
    expect(restOf(last, 'EXPOSE')).toEqual([String(MACHINE.port)]);
    expect(variablesOf(last)).toEqual({
      NODE_ENV: 'production',
      HOST: '0.0.0.0',
      PORT: String(MACHINE.port),
    });
    const [check = ''] = restOf(last, 'HEALTHCHECK');
    expect(execForm(check)).toEqual(['node', 'deploy/docker/healthcheck.mjs']);
  });

  it('installs with the versions of the lockfile only, and keeps secrets out', () => {
    const installs = stages
      .flatMap((stage) => restOf(stage, 'RUN'))
      .filter((line) => line.includes(' install '));
    expect(installs).toEqual([expect.stringContaining('--frozen-lockfile')]);
    expect(stages.flatMap((stage) => restOf(stage, 'ADD'))).toEqual([]);
    const names = Object.keys(Object.assign({}, ...stages.map(variablesOf)) as object);
    expect(names.filter((name) => /SECRET|PASSWORD|TOKEN|KEY/.test(name))).toEqual([]);
  });

  it('takes of the orchestrator only what it runs, whatever an operator put beside it', () => {
    const { files } = JSON.parse(readFileSync(join(DOCKER, '../../package.json'), 'utf8')) as {
      files: string[];
    };
    expect(files).toEqual(['dist', '!dist/.tsbuildinfo', 'web', 'deploy/docker/healthcheck.mjs']);
  });

  it('asks no registry for anything but the image of Node', () => {
    // A line such as this makes the builder fetch itself first.
    expect(readFileSync(join(DOCKER, 'Dockerfile'), 'utf8')).not.toMatch(/^#\s*syntax\s*=/m);
  });

  it.each([
    '.env',
    'examples/orchestrator/.env',
    'examples/orchestrator/deploy/compose/app.env',
    'examples/orchestrator/deploy/compose/tls/privkey.key',
    'mine/secrets.env',
    'mine/azure/container-group.yaml',
    'a/b/privkey.pem',
    'packages/x/dist/a.js',
    '.git/config',
    'node_modules/a',
  ])('never sees %s', (path) => {
    const isIgnored = ignoring(readFileSync(join(DOCKER, 'Dockerfile.dockerignore'), 'utf8'));
    expect(isIgnored(path)).toBe(true);
    expect(isIgnored('packages/x/src/index.ts')).toBe(false);
    expect(isIgnored('packages/testing/package.json')).toBe(false);
  });
});

describe('the program as the first process of a container', () => {
  it('ends on SIGTERM while it still starts', async () => {
    const main = fileURLToPath(new URL('../../examples/orchestrator/dist/main.js', import.meta.url));
    // Without a namespace it is an ordinary process, which ends by itself.
    const namespace = await inNamespaces('--pid', '--fork', '--mount-proc');
    const words = [...namespace, process.execPath, main];
    const env = { PORT: '0', NODE_ENV: 'test' };
    const program = await startProgram(words[0] ?? '', words.slice(1), {
      cwd: temporaryFolder('first').path,
      env,
    });
    onTestFinished(async () => void (await program.kill()));
    // What comes next is the embedded Postgres, which takes a second or so.
    await program.waitFor(/"auth\\" is ready/, 30_000);

    const isFirst = namespace.length > 0;
    process.kill(isFirst ? onlyChildOf(program.pid) : program.pid, 'SIGTERM');

    expect(await program.exited).toEqual(
      isFirst ? { code: 143, signal: null } : { code: null, signal: 'SIGTERM' },
    );
    expect(program.output()).not.toContain('listening on');
  });

  const onlyChildOf = (pid: number): number =>
    Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim());
});

describe('the health check', () => {
  const check = async (env: Record<string, string>): Promise<[number | null, string]> => {
    const program = await startProgram(process.execPath, [join(DOCKER, 'healthcheck.mjs')], { env });
    const { code } = await program.exited;
    return [code, program.output().trim()];
  };

  it('is 0 when the app is ready, and 1 with a sentence when it is not, or is not there', async () => {
    let status = 200;
    const server = createServer((_req, res) => res.writeHead(status).end());
    const { port } = new URL(await listen(server));
    expect(await check({ PORT: port })).toEqual([0, '/readyz answered 200']);
    status = 503;
    expect(await check({ PORT: port })).toEqual([1, '/readyz answered 503']);
    server.close();
    server.closeAllConnections();
    expect(await check({ PORT: port })).toEqual([1, expect.stringMatching(/^nobody answers: /)]);
  });
});
