// A process of a service in which something is wrong until it is told otherwise by SIGUSR2.
import { alerts, rule, webhook } from '@signalbox/alerts';
import { connectRedis } from '@signalbox/redis';

const redis = connectRedis(process.env.REDIS_URL, { deadlineMs: 2_000 });
let isBroken = true;

const watcher = alerts({
  service: 'search',
  redis,
  channels: [webhook({ url: process.env.HOOK_URL, secret: process.env.HOOK_SECRET })],
  everyMs: 100,
  groupMs: 1_000,
  deadlineMs: 1_000,
  leaseMs: 3_000,
  rules: [
    rule({
      name: 'lever',
      quietMs: 200,
      watch({ every, holds, gone }) {
        every(50, () => (isBroken ? holds('x', { title: 'x is broken' }) : gone('x')));
        return undefined;
      },
    }),
  ],
});

let role = '';
const timer = setInterval(() => {
  const next = watcher.report().role;
  if (next !== role) console.log(`role ${next}`);
  role = next;
}, 20);

process.on('SIGUSR2', () => {
  isBroken = false;
});
process.on('SIGTERM', async () => {
  clearInterval(timer);
  await watcher.close();
  await redis.close();
});
