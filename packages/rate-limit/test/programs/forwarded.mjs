// Limits by address without "trust proxy", and is asked first as by a probe, then as through a proxy.
import { createRequire } from 'node:module';
import { zones } from '../../dist/index.js';

const express = createRequire(import.meta.url)('express');
const app = express();
app.use(zones({ zones: { api: '100/m' } }).zone('api'), (_req, res) => res.end());
const server = app.listen(0, '127.0.0.1', async () => {
  const url = `http://127.0.0.1:${server.address().port}`;
  await fetch(url);
  for (const address of ['192.0.2.7', '192.0.2.8']) {
    await fetch(url, { headers: { 'x-forwarded-for': address } });
  }
  process.exit(0);
});
