// A server whose memory is looked at: each socket signs in, may expire, and is in a room. Needs --expose-gc.

import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { realtime } from '../../dist/index.js';

const server = createServer(async (_req, res) => {
  // Weak references and timers let go in several rounds.
  for (let round = 0; round < 8; round += 1) {
    globalThis.gc();
    await sleep(20);
  }
  const { heapUsed, external, arrayBuffers, rss } = process.memoryUsage();
  res.end(JSON.stringify({ ...live.report(), heapUsed, external, arrayBuffers, rss }));
});
const live = realtime(server, {
  authenticate: (_req, { token }) => ({ subject: token, expiresAt: Date.now() + 3_600_000 }),
  rooms: () => true,
  events: { echo: { handler: () => 'echo' } },
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`listens on ${server.address().port}\n`));
