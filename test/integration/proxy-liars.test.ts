import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import {
  GZIP_BOMB,
  LIARS_BEFORE_THE_ANSWER,
  LIARS_IN_THE_BODY,
  lyingServer,
} from '../../packages/gateway/test/liars.js';
import { startProgram } from '../support/program.js';

// In a process of its own: what it throws would end it, and its memory is its own.
const GATEWAY = `
  import { errorHandler } from '@signalbox/errors';
  import { proxy, searxng, upstreams } from '@signalbox/gateway';
  import { serve } from '@signalbox/server';
  import express from 'express';
  const urls = JSON.parse(process.env.LIARS);
  const limits = { timeoutMs: 300, retries: 0, breaker: false, ejection: false };
  const app = express();
  app.use((_req, res, next) => { res.err = undefined; next(); });
  app.get('/memory', (_req, res) => { gc(); gc(); res.json(process.memoryUsage()); });
  for (const [index, url] of urls.entries()) {
    const { service } = upstreams({ service: { urls: url, maxResponseBytes: 1_000_000, ...limits } });
    const engine = searxng({ urls: url, maxResponseBytes: 1_000_000, ...limits });
    app.use('/proxy/' + index, proxy({ to: url, idleTimeoutMs: 300, minBytesPerSecond: 100_000, ...limits }));
    app.get('/json/' + index, async (_req, res) => { res.json(await service.json({ path: '/' })); });
    app.get('/search/' + index, async (_req, res) => { res.json(await engine.search({ q: 'express' })); });
  }
  app.use(errorHandler());
  const { url } = await serve(app, { host: '127.0.0.1', port: 0 });
  console.log('listening on ' + url);
`;

const LIARS = [...LIARS_BEFORE_THE_ANSWER, ...LIARS_IN_THE_BODY, GZIP_BOMB];
const ROUNDS = 4;
const MEGABYTE = 1_048_576;

/** Its status; 0 where the connection was cut in the answer. */
async function statusOf(url: string): Promise<number> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(10_000) });
    await answer.arrayBuffer();
    return answer.status;
  } catch (error) {
    if (error instanceof Error && error.name === 'TimeoutError') throw error;
    return 0;
  }
}

it('upstreams that lie in every way take a process neither down nor its memory', async () => {
  const urls = await Promise.all(LIARS.map(lyingServer));
  const program = await startProgram(
    process.execPath,
    ['--expose-gc', '--input-type=module', '-e', GATEWAY],
    {
      name: 'gateway',
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      env: { LIARS: JSON.stringify(urls) },
      ready: /listening on http/,
    },
  );
  onTestFinished(async () => void (await program.stop()));
  const [, url = ''] = await program.waitFor(/listening on (http:\S+)/);
  const memory = async (): Promise<NodeJS.MemoryUsage> => {
    return (await (await fetch(`${url}/memory`)).json()) as NodeJS.MemoryUsage;
  };

  const round = async (): Promise<void> => {
    // A few at a time: their time limits are of the clock.
    for (let first = 0; first < LIARS.length; first += 8) {
      const indices = LIARS.slice(first, first + 8).map((_, offset) => first + offset);
      const asked = indices.flatMap((index) => ['proxy', 'json', 'search'].map((kind) => `${kind}/${index}`));
      const statuses = await Promise.all(asked.map((path) => statusOf(`${url}/${path}`)));
      for (const [position, status] of statuses.entries()) {
        const path = asked[position] ?? '';
        // A bomb is passed on as it came, where the machine is quick enough; this client takes the megabytes in it.
        const good = path === `proxy/${LIARS.length - 1}` ? [200, 504] : [502, 503, 504];
        if (path.startsWith('proxy/')) good.push(0);
        expect(good, `${path}: ${LIARS[Number(path.split('/')[1])]?.what} is ${status}`).toContain(status);
      }
    }
  };
  await round();
  const before = await memory();
  for (let count = 1; count < ROUNDS; count += 1) await round();
  const after = await memory();

  expect(after.heapUsed - before.heapUsed).toBeLessThan(8 * MEGABYTE);
  expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(8 * MEGABYTE);
  expect(program.output()).not.toMatch(/uncaught|unhandled|AssertionError|MaxListeners/i);
}, 120_000);
