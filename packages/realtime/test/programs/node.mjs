// One node of several: sockets and jobs on one Redis, or a worker of node:cluster without. Told what to do by HTTP.

import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectRedis } from '@signalbox/redis';
import { requireByLink } from '../../../../test/dist/support/linked-module.js';
import { jobs, realtime } from '../../dist/index.js';

const {
  REDIS_URL,
  PORT = '0',
  HOST = '127.0.0.1',
  TRANSPORTS = 'sticky',
  STAGE_MS = '100',
  REDIS_DEADLINE_MS = '100',
} = process.env;
const redis =
  REDIS_URL === undefined ? undefined : connectRedis(REDIS_URL, { deadlineMs: Number(REDIS_DEADLINE_MS) });

const STAGES = ['asking', 'reading', 'ranking', 'showing'];

const searches = jobs({
  redis,
  leaseMs: 600,
  kinds: {
    async search({ q }, { progress, attempt }) {
      for (const [index, stage] of STAGES.entries()) {
        progress({ progress: (index + 1) / 5, stage });
        await sleep(Number(STAGE_MS));
      }
      return { query: q, results: [`a result for ${q}`], pid: process.pid, attempt };
    },
  },
});

const server = createServer(async (req, res) => {
  const url = new URL(req.url, 'http://localhost');
  const field = (name) => url.searchParams.get(name) ?? undefined;
  try {
    res.end(JSON.stringify((await answer(url.pathname, field)) ?? null));
  } catch (error) {
    res.statusCode = error.status ?? 500;
    res.end(JSON.stringify({ type: error.code }));
  }
});

async function answer(path, field) {
  switch (path) {
    case '/emit':
      live.to(field('room')).emit(field('event'), { from: process.pid });
      return;
    case '/end':
      return live.end({ subject: field('subject') });
    case '/sockets':
      return live.fetchSockets({ room: field('room') });
    case '/jobs':
      return searches.result(field('id'), field('owner'));
    case '/drain':
      return live.drain({ budgetMs: 2_000, reconnectOverMs: 500 });
    case '/report':
      return { pid: process.pid, ...live.report() };
    case '/required':
      return requireByLink();
  }
}

const live = realtime(server, {
  redis,
  transports: TRANSPORTS,
  jobs: searches,
  nodeTimeoutMs: 500,
  authenticate: (_req, { token }) => (typeof token === 'string' ? { subject: token } : undefined),
  rooms: () => true,
  events: {
    where: { handler: () => process.pid },
    search: {
      async handler(_payload, { principal, follow }) {
        const { id } = await searches.start('search', { q: 'signal boxes' }, { owner: principal.subject });
        await follow(id);
        return { id, pid: process.pid };
      },
    },
  },
});
// A sign-out reaches all nodes.
redis?.subscribe('sign-outs', (subject) => live.end({ subject }));

server.listen(Number(PORT), HOST, () => {
  process.stdout.write(`pid ${process.pid} listens on ${server.address().port}\n`);
});
process.on('SIGTERM', async () => {
  await searches.close({ budgetMs: 50 });
  await live.close();
  await redis?.close();
  server.close();
  server.closeAllConnections();
  // A worker lives as long as its way to the primary.
  if (process.connected) process.disconnect();
});
