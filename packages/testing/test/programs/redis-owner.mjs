import { redisWithFaults } from '@signalbox/testing';

const running = await redisWithFaults();
const stopped = await redisWithFaults();
await stopped.stop();
console.log(`running ${running.pid}, stopped ${stopped.pid}`);
setInterval(() => {}, 60_000);
