/** What a team wires from the same libraries, each by its README. */
import { randomUUID } from 'node:crypto';
import cors from 'cors';
import express, { type NextFunction, type Request, type Response } from 'express';
import { rateLimit, type RateLimitRequestHandler } from 'express-rate-limit';
import helmet from 'helmet';
import { Redis } from 'ioredis';
import { pinoHttp } from 'pino-http';
import { collectDefaultMetrics, Counter, Histogram, register } from 'prom-client';
import { RedisStore, type RedisReply } from 'rate-limit-redis';
import { listenForBench } from './listen-for-bench.js';

collectDefaultMetrics();
const requests = new Counter({
  name: 'http_requests_total',
  help: 'Requests',
  labelNames: ['method', 'route', 'status'],
});
const durations = new Histogram({
  name: 'http_request_duration_seconds',
  help: 'Duration of requests',
  labelNames: ['method', 'route', 'status'],
});

const app = express();

app.use((req, res, next) => {
  const id = req.get('X-Request-ID') ?? randomUUID();
  req.id = id;
  res.set('X-Request-ID', id);
  next();
});
app.use(pinoHttp());
app.use((req, res, next) => {
  const end = durations.startTimer();
  res.on('finish', () => {
    const route: unknown = req.route?.path;
    const labels = {
      method: req.method,
      route: typeof route === 'string' ? req.baseUrl + route : 'unmatched',
      status: res.statusCode,
    };
    requests.inc(labels);
    end(labels);
  });
  next();
});
app.use(helmet());
app.use(cors({ origin: 'https://app.example.com', credentials: true }));

app.get('/metrics', async (_req, res) => {
  res.set('Content-Type', register.contentType).send(await register.metrics());
});
app.get('/ping', (_req, res) => {
  res.json({ ok: true, service: 'bench' });
});

const client = new Redis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379');
function limiter(name: string): RateLimitRequestHandler {
  return rateLimit({
    windowMs: 15 * 60 * 1000,
    limit: 1_000_000_000,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    store: new RedisStore({
      prefix: `rl:${name}:`,
      sendCommand: (command: string, ...args: string[]) =>
        client.call(command, ...args) as Promise<RedisReply>,
    }),
  });
}
app.get('/limited', limiter('one'), (_req, res) => {
  res.json({ ok: true, service: 'bench' });
});
app.get('/limited-thrice', limiter('api'), limiter('search'), limiter('user'), (_req, res) => {
  res.json({ ok: true, service: 'bench' });
});

app.use((req, _res, next) => {
  next(Object.assign(new Error(`Cannot ${req.method} ${req.path}`), { status: 404, type: 'not_found' }));
});
app.use(
  (error: Error & { status?: number; type?: string }, req: Request, res: Response, _next: NextFunction) => {
    const status = error.status ?? 500;
    if (status >= 500) req.log.error(error);
    res.status(status).json({
      error: {
        code: status,
        type: error.type ?? 'internal_server_error',
        message: status < 500 ? error.message : 'Internal Server Error',
        timestamp: new Date().toISOString(),
        path: req.path,
        method: req.method,
        requestId: req.id,
      },
    });
  },
);

listenForBench((options, listening) => app.listen(options.port, options.host, listening));
