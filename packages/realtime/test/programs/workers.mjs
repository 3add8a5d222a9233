// Workers of node:cluster that share a port, each a node.mjs. WORKERS are how many; RELAY=off leaves them alone.

import cluster from 'node:cluster';
import { relayBetweenWorkers } from '../../dist/index.js';

cluster.schedulingPolicy = cluster.SCHED_NONE;

if (cluster.isPrimary) {
  if (process.env.RELAY !== 'off') relayBetweenWorkers();
  cluster.setupPrimary({ serialization: 'advanced' });
  for (let index = 0; index < Number(process.env.WORKERS ?? 3); index += 1) cluster.fork();
  process.on('SIGTERM', () => {
    for (const worker of Object.values(cluster.workers)) worker.kill();
  });
} else {
  await import('./node.mjs');
}
