/** The packages with their defaults, in the orchestrator's order; helmet worked out once, no ETag, as there. */
import { requestContext } from '@signalbox/context';
import { errorHandler, notFound } from '@signalbox/errors';
import { createLogger, requestLogger } from '@signalbox/logging';
import { metrics, metricsEndpoint } from '@signalbox/metrics';
import { serve, shedLoad } from '@signalbox/server';
import cors from 'cors';
import express from 'express';
import { fixedHeaders } from 'orchestrator/security-headers';

const logger = createLogger();

const app = express();
app.disable('x-powered-by');
app.disable('etag');
app.use(requestContext());
app.use(requestLogger({ logger }));
app.use(metrics());
app.use(fixedHeaders({}));
app.use(cors({ origin: 'https://app.example.com', credentials: true }));
app.get('/metrics', metricsEndpoint());
app.use(shedLoad());

app.get('/ping', (_req, res) => {
  res.json({ ok: true, service: 'bench' });
});

app.use(notFound());
app.use(errorHandler());

const { url } = await serve(app, { host: process.env.HOST ?? '127.0.0.1', port: process.env.PORT ?? 0 });
process.stderr.write(`listening on ${url}\n`);
