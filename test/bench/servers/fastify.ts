/** Fastify 5 with its official plugins and its own logger, each by its README. */
import { randomUUID } from 'node:crypto';
import cors from '@fastify/cors';
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import { fastify } from 'fastify';
import metrics from 'fastify-metrics';
import { Redis } from 'ioredis';

const app = fastify({
  logger: true,
  requestIdHeader: 'x-request-id',
  genReqId: () => randomUUID(),
});

await app.register(helmet);
await app.register(cors, { origin: 'https://app.example.com', credentials: true });
await app.register(metrics.default, { endpoint: '/metrics' });

const redis = new Redis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379', {
  connectTimeout: 500,
  maxRetriesPerRequest: 1,
});
await app.register(rateLimit, { global: false, redis });

app.addHook('onSend', async (request, reply) => {
  reply.header('x-request-id', request.id);
});
app.get('/ping', async () => ({ ok: true, service: 'bench' }));
const LIMIT = { max: 1_000_000_000, timeWindow: '15 minutes' };
app.get('/limited', { config: { rateLimit: LIMIT } }, async () => ({ ok: true, service: 'bench' }));

// The plugin's hook runs once a request; several limits on one route are its createRateLimit, one after the other.
const limits = ['api', 'search', 'user'].map((name) =>
  app.createRateLimit({ ...LIMIT, keyGenerator: ({ ip }) => `${name}:${ip}` }),
);
app.get('/limited-thrice', async (request, reply) => {
  for (const check of limits) {
    const result = await check(request);
    if (result.isAllowed) continue;
    reply.header('x-ratelimit-limit', result.max);
    reply.header('x-ratelimit-remaining', result.remaining);
    reply.header('x-ratelimit-reset', result.ttlInSeconds);
    if (result.isExceeded) throw Object.assign(new Error('Rate limit exceeded'), { statusCode: 429 });
  }
  return { ok: true, service: 'bench' };
});

app.setNotFoundHandler((request, reply) => {
  reply.status(404).send({
    error: {
      code: 404,
      type: 'not_found',
      message: `Cannot ${request.method} ${request.url}`,
      timestamp: new Date().toISOString(),
      path: request.url,
      method: request.method,
      requestId: request.id,
    },
  });
});

const host = process.env.HOST ?? '127.0.0.1';
const url = await app.listen({ host, port: Number(process.env.PORT ?? 0) });
process.stderr.write(`listening on ${url}\n`);
process.once('SIGTERM', () => void app.close().then(() => process.exit(0)));
