/** Express 5 and nothing else: what the other servers are measured against. */
import express from 'express';
import { searchResults } from './search-results.js';
import { listenForBench } from './listen-for-bench.js';

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

listenForBench((options, listening) => app.listen(options.port, options.host, listening));
