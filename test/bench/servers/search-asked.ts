/** The search as the orchestrator makes it: it asks an instance of SearXNG, which stands in INSTANCE_URL. */
import { searxng } from '@signalbox/gateway';
import { serveSearch } from './search-stack.js';

const instances = searxng({ urls: [process.env.INSTANCE_URL ?? 'http://127.0.0.1:8888'] });
await serveSearch(async (req, res) => {
  const { q } = req.query;
  res.json(await instances.search({ q: typeof q === 'string' ? q : '' }));
});
