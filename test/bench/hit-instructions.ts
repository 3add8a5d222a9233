/**
 * What a hit costs in instructions, where a machine is too restless for times: valgrind counts those of the process, the
 * kernel's not among them. Each server is started twice, one answers more requests than the other, and the difference is
 * what those more have taken; V8 has made its code before.
 *
 * `node .scripts/bench.mjs hit-instructions [--first 10000] [--more 12000] [--only constant,cached,tier]`; takes some
 * five minutes a server, and needs valgrind.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import autocannon from 'autocannon';
import { temporaryFolder } from '../support/keeper.js';
import { startProgram } from '../support/program.js';
import { startRedis } from '../support/redis.js';

const { values } = parseArgs({
  options: {
    first: { type: 'string', default: '10000' },
    more: { type: 'string', default: '12000' },
    only: { type: 'string', default: 'constant,cached,tier' },
  },
});

const redis = await startRedis();
const logs = temporaryFolder('instructions');

/** All instructions of a server from its start to its end. */
async function instructions(server: string, requests: number): Promise<number> {
  const program = fileURLToPath(new URL(`./servers/search-${server}.js`, import.meta.url));
  // Apart from what the server logs, a line a request.
  const log = join(logs.path, `${server}-${requests}`);
  const options = ['--tool=callgrind', '--callgrind-out-file=/dev/null', `--log-file=${log}`];
  const running = await startProgram('valgrind', [...options, process.execPath, program], {
    name: server,
    env: { NODE_ENV: 'production', HOST: '127.0.0.1', PORT: '0', REDIS_URL: redis.url },
    ready: /listening on http/,
    readyTimeoutMs: 120_000,
  });
  try {
    const [, url = ''] = await running.waitFor(/listening on (http:\/\/\S+)/);
    const { non2xx, '2xx': answered } = await autocannon({
      url: `${url}/search?q=tea`,
      amount: requests,
      connections: 16,
      timeout: 60,
    });
    if (non2xx > 0 || answered < requests) throw new Error(`${server}: ${answered} of ${requests} answered`);
    running.signal('SIGTERM');
    await running.exited;
    return Number(/Collected : (\d+)/.exec(readFileSync(log, 'utf8'))?.[1]);
  } finally {
    await running.kill();
  }
}

const first = Number(values.first);
const more = Number(values.more);
const costs = new Map<string, number>();
try {
  for (const server of values.only.split(',')) {
    process.stderr.write(`${server}: ${first}, and ${first + more} requests\n`);
    const [few, many] = await Promise.all([instructions(server, first), instructions(server, first + more)]);
    costs.set(server, (many - few) / more);
  }
} finally {
  await redis.stop();
  logs.remove();
}
const constant = costs.get('constant') ?? Number.NaN;
console.table(
  Object.fromEntries(
    [...costs].map(([server, each]) => [
      server,
      { 'instructions a request': Math.round(each), '÷ constant': (each / constant).toFixed(2) },
    ]),
  ),
);
