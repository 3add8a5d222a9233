/**
 * A search of 10 KB in five ways, behind the public part of signalbox.ts: `GET /search/:way`. All in one process, so that
 * the code which V8 makes of what they share is the same for them.
 */
import { cachedRoute, redisStore } from '@signalbox/cache';
import { requestContext } from '@signalbox/context';
import { errorHandler, notFound } from '@signalbox/errors';
import { searxng } from '@signalbox/gateway';
import { createLogger, requestLogger } from '@signalbox/logging';
import { metrics } from '@signalbox/metrics';
import { connectRedis } from '@signalbox/redis';
import { cors, securityHeaders } from '@signalbox/security';
import { serve, shedLoad } from '@signalbox/server';
import express, { type Request, type RequestHandler } from 'express';
import { searchResults } from './search-results.js';

const KEPT_MS = 3_600_000;

const queryOf = ({ query: { q } }: Request): string => (typeof q === 'string' ? q : '');

const instances = searxng({ urls: [process.env.INSTANCE_URL ?? 'http://127.0.0.1:8888'] });
/** As the orchestrator makes it: an instance of SearXNG is asked. */
const asked: RequestHandler = async (req, res) => {
  res.json(await instances.search({ q: queryOf(req) }));
};

/** Made anew each time, in this process. */
const uncached: RequestHandler = (req, res) => {
  res.json(searchResults(queryOf(req)));
};

const made = Buffer.from(JSON.stringify(searchResults('tea')));
/** One answer, made before anybody asks: what no cache can be faster than. */
const constant: RequestHandler = (_req, res) => {
  res.setHeader('Content-Type', 'application/json; charset=utf-8');
  res.setHeader('Content-Length', made.length);
  res.end(made);
};

function behind(cache: RequestHandler): RequestHandler {
  return (req, res, next) => {
    void cache(req, res, (error?: unknown) => {
      if (error === undefined) void uncached(req, res, next);
      else next(error);
    });
  };
}

const redis = connectRedis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379');
const ways = new Map<string, RequestHandler>([
  ['asked', asked],
  ['uncached', uncached],
  ['cached', behind(cachedRoute(KEPT_MS))],
  ['tier', behind(cachedRoute(KEPT_MS, { store: redisStore(redis) }))],
  ['constant', constant],
]);

const app = express();
app.disable('x-powered-by');
app.disable('etag');
app.use(requestContext());
app.use(requestLogger({ logger: createLogger() }));
app.use(metrics());
app.use(securityHeaders());
app.use(cors({ origins: ['https://app.example.com'] }));
app.use(shedLoad());
app.get('/search/:way', (req, res, next) => {
  const way = ways.get(req.params.way);
  return way === undefined ? next() : way(req, res, next);
});
app.use(notFound());
app.use(errorHandler());
const { url } = await serve(app, { host: process.env.HOST ?? '127.0.0.1', port: process.env.PORT ?? 0 });
process.stderr.write(`listening on ${url}\n`);
