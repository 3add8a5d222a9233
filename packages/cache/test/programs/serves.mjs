// Serves a slow answer through a cache in Redis, and says how often it was made.
import { createRequire } from 'node:module';
import { connectRedis } from '@signalbox/redis';
import { cache, memoize, redisStore } from '../../dist/index.js';

const require = createRequire(import.meta.url);
const express = require('express');
const { Redis } = require('ioredis');
const { REDIS_URL = '', TOOK_MS = '200' } = process.env;

const client = new Redis(REDIS_URL);
await client.ping();
// A busy machine is not what the test is about.
const store = redisStore(connectRedis(REDIS_URL, { deadlineMs: 5_000 }));
const slow = (value) => new Promise((resolve) => setTimeout(resolve, Number(TOOK_MS), value));
const count = (name) => client.incr(`calls:${name}`);

const value = memoize(
  async (name) => {
    await count(name);
    return slow({ pid: process.pid, name });
  },
  { ttlMs: 60_000, name: 'value', store },
);

const app = express();
app.get('/value/:name', async (req, res) => void res.json(await value(req.params.name)));
app.use(cache({ store, ttlMs: 60_000 }));
app.get('/page/:name', async (req, res) => {
  await count(req.params.name);
  console.log(`making ${req.params.name}`);
  res.json(await slow({ pid: process.pid }));
});
const server = app.listen(0, '127.0.0.1', () => console.log(`ready ${server.address().port}`));
