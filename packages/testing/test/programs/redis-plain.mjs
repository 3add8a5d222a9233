import { redisWithFaults } from '@signalbox/testing';

const redis = await redisWithFaults();
console.log(`pid ${redis.pid}`);
// Nothing else keeps this process, and yet it sees what it asks for.
await redis.kill();
console.log('killed');
await redis.heal();
console.log(await redis.command('PING'));
