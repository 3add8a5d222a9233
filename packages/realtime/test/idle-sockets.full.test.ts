import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { eventually } from '../../../test/support/eventually.js';
import { startProgram } from '../../../test/support/program.js';

const PROGRAM = fileURLToPath(new URL('programs/idle.mjs', import.meta.url));

interface Memory {
  readonly sockets: number;
  readonly connections: number;
  readonly heapUsed: number;
  readonly external: number;
  readonly rss: number;
}

async function startIdle(): Promise<{ url: string; readonly memory: () => Promise<Memory> }> {
  const program = await startProgram(process.execPath, ['--expose-gc', PROGRAM], { ready: /listens on \d+/ });
  onTestFinished(async () => void (await program.kill()));
  const url = `http://127.0.0.1:${/listens on (\d+)/.exec(program.output())?.[1] ?? ''}`;
  return { url, memory: async () => (await (await fetch(url)).json()) as Memory };
}

/** Connects so many, some at a time, as a browser would that is signed in; each is in a room then. */
async function connectMany(url: string, count: number): Promise<WebSocket[]> {
  const sockets: WebSocket[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      next += 1;
      sockets.push(await connectOne(url, `user-${next}`));
    }
  };
  await Promise.all(Array.from({ length: 20 }, worker));
  return sockets;
}

function connectOne(url: string, token: string): Promise<WebSocket> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`, {
    headers: { origin: url, cookie: `session=${'s'.repeat(80)}`, 'user-agent': 'Mozilla/5.0 '.repeat(8) },
  });
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('message', (data: Buffer) => {
      const text = data.toString();
      if (text === '2') socket.send('3');
      if (text.startsWith('0')) socket.send(`40${JSON.stringify({ token })}`);
      if (text.startsWith('42["connected"')) socket.send('420["join",{"room":"news"}]');
      if (text.startsWith('430')) resolve(socket);
    });
  });
}

it('holds 5 000 idle sockets, and says what each costs', { timeout: 120_000 }, async () => {
  const { url, memory } = await startIdle();
  const warm = await connectMany(url, 100);
  warm.forEach((socket) => socket.terminate());
  await eventually(async () => (await memory()).connections === 0);
  const before = await memory();
  const sockets = await connectMany(url, 5_000);
  onTestFinished(() => sockets.forEach((socket) => socket.terminate()));
  const during = await memory();
  expect(during).toMatchObject({ sockets: 5_000, connections: 5_000 });

  const perSocket = (field: 'heapUsed' | 'external' | 'rss'): number =>
    Math.round((during[field] - before[field]) / 5_000 / 102.4) / 10;
  console.log(
    `5 000 idle sockets: ${perSocket('heapUsed')} kB of heap, ${perSocket('external')} kB external, ` +
      `${perSocket('rss')} kB resident each`,
  );
  expect(perSocket('heapUsed')).toBeLessThan(60);

  sockets.forEach((socket) => socket.terminate());
  await eventually(async () => (await memory()).connections === 0, 30_000);
  const after = await memory();
  // What is left is not of the sockets: less than a twentieth of what they took.
  expect(after.heapUsed - before.heapUsed).toBeLessThan((during.heapUsed - before.heapUsed) / 20 + 2_000_000);
});

it('keeps nothing of sockets that come and go', { timeout: 120_000 }, async () => {
  const { url, memory } = await startIdle();
  const heaps: number[] = [];
  for (let round = 0; round < 6; round += 1) {
    const sockets = await connectMany(url, 1_000);
    sockets.forEach((socket, index) => (index % 2 === 0 ? socket.terminate() : socket.close()));
    await eventually(async () => (await memory()).connections === 0, 30_000);
    heaps.push((await memory()).heapUsed);
  }
  expect((heaps.at(-1) ?? 0) - (heaps[1] ?? 0)).toBeLessThan(2_000_000);
});
