// How many requests are still in memory once they are answered, while the connections that they opened serve others.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { requestContext } from '@signalbox/context';
import { proxy, upstreams } from '@signalbox/gateway';
import express from 'express';

const COUNT = 10;

async function listen(listener) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${server.address().port}`;
}

const to = await listen((_req, res) => setTimeout(() => res.end('ok'), 20));
const shop = proxy({ to, maxConnections: COUNT });
const { service } = upstreams({ service: { urls: to, maxConnections: COUNT } });

let requests = [];
const app = express().use(requestContext());
app.use((req, _res, next) => {
  requests.push(new WeakRef(req));
  next();
});
app.use('/proxied', shop);
app.use('/called', async (_req, res) => res.send(await service.text({ path: '/' })));
const url = await listen(app);

async function ask(path) {
  const init = { headers: { connection: 'close' } };
  await Promise.all(Array.from({ length: COUNT }, async () => (await fetch(url + path, init)).text()));
}

const alive = {};
for (const path of ['/proxied', '/called']) {
  requests = [];
  await ask(path);
  const first = requests.slice();
  const count = () => first.filter((request) => request.deref() !== undefined).length;
  for (let round = 0; round < 20 && (round < 3 || count() > 0); round += 1) {
    await ask(path);
    await sleep(10);
    globalThis.gc();
  }
  alive[path] = count();
}
console.log(JSON.stringify(alive));
process.exit();
