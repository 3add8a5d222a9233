// Asks limits on a Redis for a while, as fast as it is answered, and prints when it was let through.
import { connectRedis } from '@signalbox/redis';
import { redisStore, zones } from '../../dist/index.js';

const { REDIS_URL = '', RUN_MS = '1000', ZONES = '{}' } = process.env;

// What Redis counted is looked at, not how soon it did: a machine that has more to do may take longer.
const redis = connectRedis(REDIS_URL, { deadlineMs: 10_000 });
await redis.command('ping');
const store = redisStore(redis);
// When Redis let somebody through, by its own clock.
const times = new Map();
const rates = JSON.parse(ZONES);
const limits = zones({
  store: {
    ...store,
    async take(asks) {
      const standings = await store.take(asks);
      if (standings[0].retryMs === 0) times.get(asks[0].limit.name).push(standings[0].at);
      return standings;
    },
  },
  zones: rates,
});

const names = Object.keys(rates);
for (const name of names) times.set(name, []);
console.log('ready');
await new Promise((resolve) => process.stdin.once('data', resolve));

const until = performance.now() + Number(RUN_MS);
const ask = async (name) => {
  while (performance.now() < until) {
    const { allowed, source, retryAfterSeconds } = await limits.take(name, '10.0.0.1');
    if (source !== 'store') throw new Error(`counted by ${source}, ${retryAfterSeconds}`);
    // What is known to be over is refused in the same turn.
    if (!allowed) await new Promise((resolve) => setTimeout(resolve, 1));
  }
};
await Promise.all(names.flatMap((name) => Array.from({ length: 8 }, () => ask(name))));
console.log(JSON.stringify(Object.fromEntries(times)));
await redis.close();
process.stdin.unref();
