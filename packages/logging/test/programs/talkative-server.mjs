// A server that logs 100 kB a request to stdout, and tells its port on stderr.

import { once } from 'node:events';
import express from 'express';
import { createLogger, requestLogger } from '@signalbox/logging';

const app = express();
app.use(requestLogger({ logger: createLogger() }));
app.get('/:number', (req, res) => {
  req.log.info({ number: Number(req.params.number), padding: Array(10).fill('x'.repeat(10_000)) });
  res.end('ok');
});
app.post('/exit', (_req, res) => res.on('finish', () => process.exit(0)).end());

const server = app.listen(0, '127.0.0.1');
await once(server, 'listening');
process.stderr.write(`${server.address().port}\n`);
