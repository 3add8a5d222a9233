import { config } from '@signalbox/config';
import { describe, expect, it, onTestFinished } from 'vitest';
import { SETTINGS } from '../../examples/orchestrator/src/settings.js';
import { startFaultProxy } from '../support/fault-proxy.js';
import { accountOf, postJson } from '../support/identity.js';
import { startOrchestrator, WITHOUT_ACCOUNTS } from '../support/orchestrator.js';
import { startPostgres } from '../support/postgres.js';
import { startRedis } from '../support/redis.js';

describe('connections of the orchestrator', { timeout: 60_000 }, () => {
  it('are kept for as long as KEEP_ALIVE says, and to Postgres as many as DATABASE_POOL grants', async () => {
    const postgres = await startPostgres();
    onTestFinished(() => postgres.stop());
    const settings = { DATABASE_URL: postgres.url, DATABASE_POOL: '2', KEEP_ALIVE: '91s' };
    const { url, program } = await startOrchestrator(settings);
    onTestFinished(async () => void (await program.stop()));

    expect((await fetch(`${url}/livez`)).headers.get('keep-alive')).toBe('timeout=91');

    const { email, password } = await accountOf(url);
    const logins = Array.from({ length: 10 }, () => postJson(`${url}/auth/login`, { email, password }));
    for (const { status } of await Promise.all(logins)) expect([200, 429, 503]).toContain(status);
    const figures = await (await fetch(`${url}/metrics`)).text();
    expect(figures).toMatch(/^signalbox_database_pool_max\{.*\} 2$/m);
    expect(figures).toMatch(/^signalbox_database_pool_size\{.*\} [12]$/m);
  });

  it('to a Redis that is far away are good for as long as REDIS_DEADLINE says', async () => {
    const redis = await startRedis();
    const distant = await startFaultProxy({ to: redis.port });
    await distant.delay(300);
    onTestFinished(async () => {
      await distant.stop();
      await redis.stop();
    });
    const settings = { ...WITHOUT_ACCOUNTS, REDIS_URL: `redis://${distant.address}`, REDIS_DEADLINE: '10s' };
    const { url, program } = await startOrchestrator(settings);
    onTestFinished(async () => void (await program.stop()));

    const guest = await postJson(`${url}/auth/guest`, {});
    expect([guest.status, guest.ok || (await guest.text())]).toEqual([200, true]);
    const figures = await (await fetch(`${url}/metrics`)).text();
    expect(figures).toMatch(/^signalbox_redis_commands_total\{.*outcome="ok".*\} [1-9]/m);
    expect(figures).not.toMatch(/^signalbox_redis_commands_total\{.*outcome="timeout".*\} [1-9]/m);
  });

  it.each(['0', '25d'])('are not kept for %s, which no timer takes', (value) => {
    const env = { NODE_ENV: 'test', KEEP_ALIVE: value };
    expect(() => config(SETTINGS, { env, warn: () => undefined })).toThrow(
      'KEEP_ALIVE must be from 1ms to 24d',
    );
  });
});
