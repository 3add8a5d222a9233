/** The app of bare-express.ts, unchanged, on `serve` instead of `app.listen`. */
import { serve } from '@signalbox/server';
import express from 'express';
import { searchResults } from './search-results.js';

const app = express();

app.get('/ping', (_req, res) => {
  res.json({ ok: true, service: 'bench' });
});
app.get('/api/v1/search', (req, res) => {
  res.json(searchResults(req.query['q']));
});
app.use((_req, res) => {
  res.status(404).json({ error: { code: 404, type: 'not_found', message: 'Not Found' } });
});

const { url } = await serve(app, { host: process.env.HOST ?? '127.0.0.1', port: process.env.PORT ?? 0 });
process.stderr.write(`listening on ${url}\n`);
