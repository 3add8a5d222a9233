// Serves requests that it sends to itself, and ends in the very turn in which the last one is over.

import { once } from 'node:events';
import express from 'express';
import { createLogger, requestLogger } from '@signalbox/logging';

const [how, count] = process.argv.slice(2);
const app = express();
app.use(requestLogger({ logger: createLogger() }));

let left = Number(count);
app.get('/item/:id', (_req, res) => {
  res.on('finish', () => {
    if (--left > 0) return;
    if (how === 'exit') process.exit(1);
    throw new Error('crash');
  });
  res.end('ok');
});

const server = app.listen(0, '127.0.0.1');
await once(server, 'listening');
const url = `http://127.0.0.1:${server.address().port}`;
await Promise.all(Array.from({ length: left }, (_, id) => fetch(`${url}/item/${id}`)));
