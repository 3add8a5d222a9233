import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startRedis, type RedisServer } from '../../../test/support/redis.js';
import { doctor } from '../src/index.js';

const MAIN = fileURLToPath(new URL('../../../examples/orchestrator/dist/main.js', import.meta.url));

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis({ args: ['--maxmemory', '50mb', '--appendonly', 'yes'] });
});
afterAll(() => redis.stop());

it('the orchestrator, started as in production, gives no cause for alarm', { timeout: 120_000 }, async () => {
  const report = await doctor(MAIN, {
    env: {
      PATH: process.env['PATH'],
      NODE_ENV: 'production',
      SECRET_KEYS: randomBytes(32).toString('base64url'),
      PUBLIC_URL: 'https://search.example.com',
      TRUST_PROXY: 'loopback',
      CORS_ORIGINS: 'https://partner.example.com',
      REDIS_URL: redis.url,
    },
    startTimeoutMs: 60_000,
  });
  const alarms = report.findings.filter(
    ({ severity, where }) => severity !== 'note' && where !== 'Node that runs this',
  );
  expect(alarms).toEqual([]);
  expect(report.examined).toEqual(expect.arrayContaining(['package.json', 'Redis', 'the program, started']));
});
