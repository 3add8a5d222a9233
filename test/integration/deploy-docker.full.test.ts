import { randomBytes } from 'node:crypto';
import { chmodSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
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
  await runStage(build, folder);
  const image = join(folder, 'out');
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
  const check = await start(restOf(last, 'HEALTHCHECK')[0] ?? '');
  expect([(await check.exited).code, check.output().trim()]).toEqual([0, '/readyz answered 200']);
  expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);
  app.signal('SIGTERM');
  expect(await app.exited).toEqual({ code: 0, signal: null });
});
