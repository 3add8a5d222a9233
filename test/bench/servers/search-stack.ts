/** The public part of signalbox.ts around one route: a search that answers 10 KB of JSON. */
import { requestContext } from '@signalbox/context';
import { errorHandler, notFound } from '@signalbox/errors';
import { createLogger, requestLogger } from '@signalbox/logging';
import { metrics } from '@signalbox/metrics';
import { cors, securityHeaders } from '@signalbox/security';
import { serve, shedLoad } from '@signalbox/server';
import express, { type Request, type RequestHandler } from 'express';
import { searchResults } from './search-results.js';

/** Answers `GET /search` by these, behind all that stands before a public route. */
export async function serveSearch(...handlers: readonly RequestHandler[]): Promise<void> {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(requestContext());
  app.use(requestLogger({ logger: createLogger() }));
  app.use(metrics());
  app.use(securityHeaders());
  app.use(cors({ origins: ['https://app.example.com'] }));
  app.use(shedLoad());
  app.get('/search', ...handlers);
  app.use(notFound());
  app.use(errorHandler());
  const { url } = await serve(app, {
    host: process.env.HOST ?? '127.0.0.1',
    port: process.env.PORT ?? 0,
  });
  process.stderr.write(`listening on ${url}\n`);
}

/** What is found, made anew each time. */
export const search: RequestHandler = (req: Request, res) => {
  const { q } = req.query;
  res.json(searchResults(typeof q === 'string' ? q : ''));
};
