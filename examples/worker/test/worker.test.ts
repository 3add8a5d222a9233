import { linkSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startNode, visit, type Node } from '../../../packages/emitter/test/nodes.js';
import { eventually } from '../../../test/support/eventually.js';
import { startFaultProxy } from '../../../test/support/fault-proxy.js';
import { temporaryFolder } from '../../../test/support/keeper.js';
import { startProgram, type Program } from '../../../test/support/program.js';
import { startRedis, type RedisServer } from '../../../test/support/redis.js';

const home = fileURLToPath(new URL('..', import.meta.url));

let redis: RedisServer;
let nodes: readonly Node[] = [];
beforeAll(async () => {
  redis = await startRedis();
  nodes = await Promise.all([startNode(redis.port), startNode(redis.port)]);
});
afterAll(async () => {
  await Promise.all(nodes.map((node) => node.close()));
  await redis.stop();
});

/** A folder with files by their names, until the test ends. */
function folderOf(files: Readonly<Record<string, string>>): string {
  const folder = temporaryFolder('worker');
  onTestFinished(() => folder.remove());
  const docs = join(folder.path, 'docs');
  mkdirSync(join(docs, 'guide'), { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(docs, name), text);
  return docs;
}

async function work(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Program> {
  const program = await startProgram(process.execPath, ['worker.js', ...args], {
    name: 'the worker',
    cwd: home,
    env: { REDIS_URL: redis.url, NODE_OPTIONS: undefined, VITEST: undefined, ...env },
  });
  onTestFinished(async () => void (await program.stop()));
  return program;
}

const timestamp = expect.any(String) as string;
const threeFiles = {
  'index.md': '# Welcome\n\nto the box',
  'guide/signals.md': '# Signals\n\nred and green',
  'guide/plain.md': 'no title, and green',
  'guide/picture.png': 'no Markdown',
};

describe('the worker', { timeout: 60_000 }, () => {
  it('announces its progress to the room on every server, and the end to everybody', async () => {
    const [one, two, stranger] = await Promise.all([
      visit({ url: nodes[0]?.url ?? '' }, { rooms: ['search_status'] }),
      visit({ url: nodes[1]?.url ?? '' }, { rooms: ['search_status'] }),
      visit({ url: nodes[1]?.url ?? '' }),
    ]);
    const program = await work([folderOf(threeFiles)], { INTERVAL_SECONDS: '0' });
    expect(await program.exited).toEqual({ code: 0, signal: null });
    expect(program.output()).toBe('The index of docs is ready: 3 documents, 12 words\nStopped\n');

    const message = 'The index of docs is ready: 3 documents, 12 words';
    const alert = ['system_alert', { level: 'info', message, timestamp }];
    const status = { query: 'index of docs', timestamp };
    for (const visitor of [one, two]) {
      await eventually(() => visitor.heard.at(-1)?.[0] === 'system_alert');
      expect(visitor.heard).toEqual([
        ['search_status', { ...status, status: 'started', progress: 0 }],
        [
          'search_status',
          { ...status, status: 'progress', resultsCount: 1, progress: 0.33, stage: 'reading' },
        ],
        ['search_status', { ...status, status: 'complete', resultsCount: 3, progress: 1 }],
        ['index_ready', { folder: 'docs', documents: 3, terms: 12 }],
        alert,
      ]);
    }
    await stranger.hears(1);
    expect(stranger.heard).toEqual([alert]);
  });

  it('works on while Redis is gone, and is heard in order on its return', async () => {
    const proxy = await startFaultProxy({ to: redis.port });
    onTestFinished(() => proxy.stop());
    await proxy.refuse();
    const visitor = await visit({ url: nodes[0]?.url ?? '' }, { rooms: ['quiet'] });
    const program = await work([folderOf(threeFiles)], {
      ROOM: 'quiet',
      REDIS_URL: `redis://${proxy.address}`,
    });
    await program.waitFor(/is ready: 3 documents/);
    expect(visitor.heard).toEqual([]);
    await proxy.pass();
    await visitor.hears(5);
    expect(visitor.heard.map(([event]) => event)).toEqual([
      'search_status',
      'search_status',
      'search_status',
      'index_ready',
      'system_alert',
    ]);
    // In the middle of its rest.
    program.signal('SIGTERM');
    expect(await program.exited).toEqual({ code: 0, signal: null });
    expect(program.stderr()).toBe('');
  });

  it('ends between two files at SIGTERM, and says so', async () => {
    const docs = folderOf({ 'long.md': 'signals and boxes, trains and tracks\n'.repeat(5_000) });
    for (let copy = 0; copy < 1_000; copy += 1)
      linkSync(join(docs, 'long.md'), join(docs, `copy-${copy}.md`));
    const visitor = await visit({ url: nodes[0]?.url ?? '' }, { rooms: ['search_status'] });
    const program = await work([docs], {});
    await visitor.hears(2);
    program.signal('SIGTERM');
    expect(await program.exited).toEqual({ code: 0, signal: null });
    expect(program.output()).toBe('Stopped\n');
    await eventually(() => JSON.stringify(visitor.heard.at(-1)).includes('failed'));
    expect(visitor.heard.at(-1)).toEqual([
      'search_status',
      { query: 'index of docs', status: 'failed', stage: 'stopped', timestamp },
    ]);
  });

  it('says what is wrong with its folder or interval, and ends with 2', async () => {
    for (const args of [[], ['nowhere'], ['package.json']]) {
      const program = await work(args, {});
      expect(await program.exited).toEqual({ code: 2, signal: null });
      expect(program.output()).toBe('Usage: node worker.js FOLDER, where FOLDER holds Markdown\n');
    }
    for (const given of ['1m', '-1', '3000000']) {
      const program = await work(['.'], { INTERVAL_SECONDS: given });
      expect(await program.exited).toEqual({ code: 2, signal: null });
      expect(program.output()).toBe(`INTERVAL_SECONDS must be a number from 0 to 2147483, got ${given}\n`);
    }
  });
});
