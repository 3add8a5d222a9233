import { randomBytes } from 'node:crypto';
import { chmodSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { temporaryFolder } from '../support/keeper.js';
import { freePort } from '../support/ports.js';
import { startProgram } from '../support/program.js';
import {
  copyContext,
  DOCKER,
  execForm,
  readStages,
  restOf,
  runStage,
  variablesOf,
  type Stage,
} from './deploy-image.js';

// Without a Docker daemon: what the Dockerfile runs is run in a folder, and what is left there is started.
it('what the Dockerfile builds starts as nobody, is healthy, and drains', { timeout: 400_000 }, async () => {
  const [build, last] = readStages(join(DOCKER, 'Dockerfile')) as [Stage, Stage];
  const { path: folder } = temporaryFolder('image');
  await copyContext(folder);
  // An operator's, as guides have it beside ours.
  await writeFile(join(folder, 'examples/orchestrator/deploy/helm/mine.yaml'), 'secrets: {}');
  await runStage(build, folder);
  const image = join(folder, 'out');
  expect((await readdir(join(image, 'examples/orchestrator'))).toSorted()).toEqual(
    ['README.md', 'deploy', 'dist', 'node_modules', 'package.json', 'pnpm-lock.yaml', 'web'].toSorted(),
  );
  const files = await readdir(image, { recursive: true });
  expect(files.filter((file) => /\.(?:[mc]?ts|map|tsbuildinfo)$/.test(file))).toEqual([]);
  expect(files.filter((file) => file.startsWith('examples/orchestrator/deploy/'))).toEqual([
    'examples/orchestrator/deploy/docker',
    'examples/orchestrator/deploy/docker/healthcheck.mjs',
  ]);
  const modules = await readdir(join(image, 'examples/orchestrator/node_modules/.pnpm'));
  expect(modules.filter((name) => /^(?:typescript|vitest|vite|oxlint)@/.test(name))).toEqual([]);

  // As in the image: root's files, for everybody to read and nobody to write.
  chmodSync(folder, 0o755);
  const nobody = process.getuid?.() === 0 ? { owner: { uid: 10_001, gid: 10_001 } } : {};
  const [workdir = ''] = restOf(last, 'WORKDIR');
  const cwd = join(image, workdir.replace(/^\/app\//, ''));
  const port = String(await freePort());
  const env = {
    ...variablesOf(last),
    HOST: '127.0.0.1',
    PORT: port,
    PUBLIC_URL: 'https://signalbox.example',
    SECRET_KEYS: randomBytes(48).toString('base64'),
    VITEST: undefined,
  };
  const start = (rest: string, ready?: RegExp) => {
    const [, ...args] = execForm(rest);
    return startProgram(process.execPath, args, { cwd, env, ready, readyTimeoutMs: 120_000, ...nobody });
  };
  const app = await start(restOf(last, 'CMD')[0] ?? '', /listening on/);
  onTestFinished(async () => void (await app.kill()));
  // It listens before the tables are there, and is asked again as Docker does it.
  await expect
    .poll(
      async () => {
        const check = await start(restOf(last, 'HEALTHCHECK')[0] ?? '');
        return [(await check.exited).code, check.output().trim()];
      },
      { timeout: 30_000, interval: 1_000 },
    )
    .toEqual([0, '/readyz answered 200']);
  expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);
  app.signal('SIGTERM');
  expect(await app.exited).toEqual({ code: 0, signal: null });
});
