import { listen } from '@signalbox/testing';
import { Redis } from 'ioredis';
import { describe, it, onTestFinished } from 'vitest';
import { startSentinel } from '../../../test/support/redis-sentinel.js';
import { eventually } from '../../../test/support/eventually.js';
import { redisStore } from '../src/index.js';
import { appWith, send, withErrors } from './support.js';

describe('while Redis is gone', () => {
  it('and another takes its place, sessions go on there', async () => {
    const group = await startSentinel();
    onTestFinished(() => group.stop());
    const client = new Redis({ sentinels: [...group.sentinels], name: group.name });
    client.on('error', () => undefined);
    onTestFinished(() => client.disconnect());
    await client.ping();
    const url = await listen(withErrors(appWith({ store: redisStore(client) }).app));
    const { cookie } = await send('POST', `${url}/in/alice`);
    await eventually(async () => (await group.servers[1]?.command('dbsize')) !== '0');
    await group.failover();
    await eventually(async () => (await send('GET', `${url}/required`, { cookie })).status === 200, 10_000);
    await eventually(async () => (await send('POST', `${url}/count`, { cookie })).status === 200, 10_000);
  }, 30_000);
});
