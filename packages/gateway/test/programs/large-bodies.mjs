// Passes a gigabyte up and a gigabyte down through a proxy, and tells how much of them was held at once.
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import express from 'express';
import { proxy } from '@signalbox/gateway';

const BYTES = 1_073_741_824;
const CHUNK = Buffer.alloc(262_144, 'x');

async function urlOf(server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${server.address().port}`;
}

async function send(to) {
  for (let sent = 0; sent < BYTES; sent += CHUNK.length) {
    if (!to.write(CHUNK)) await once(to, 'drain');
  }
  to.end();
}

async function count(from) {
  let bytes = 0;
  for await (const chunk of from) bytes += chunk.length;
  return bytes;
}

const origin = await urlOf(
  createServer(async (req, res) => {
    if (req.method === 'POST') res.end(String(await count(req)));
    else await send(res);
  }),
);
const gateway = await urlOf(createServer(express().use(proxy({ to: origin }))));

// What waits to be passed on is in buffers. How much the heap takes besides is up to V8.
let peak = 0;
const before = process.memoryUsage().arrayBuffers;
setInterval(() => void (peak = Math.max(peak, process.memoryUsage().arrayBuffers)), 20).unref();

const upload = request(gateway, { method: 'POST' });
await send(upload);
const [stored] = await once(upload, 'response');
let up = '';
for await (const chunk of stored) up += chunk.toString();

const download = request(gateway).end();
const [answer] = await once(download, 'response');
const down = await count(answer);

process.stdout.write(
  JSON.stringify({ up: Number(up), down, grownMb: Math.round((peak - before) / 1_048_576) }),
);
process.exit(0);
