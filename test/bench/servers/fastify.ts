/** Fastify 5 with its official plugins and its own logger, each by its README. */
import { randomUUID } from 'node:crypto';
import cors from '@fastify/cors';
import helmet from '@fastify/helmet';
import { fastify } from 'fastify';
import metrics from 'fastify-metrics';

const app = fastify({
  logger: true,
  requestIdHeader: 'x-request-id',
  genReqId: () => randomUUID(),
});

await app.register(helmet);
await app.register(cors, { origin: 'https://app.example.com', credentials: true });
await app.register(metrics.default, { endpoint: '/metrics' });

app.addHook('onSend', async (request, reply) => {
  reply.header('x-request-id', request.id);
});
app.get('/ping', async () => ({ ok: true, service: 'bench' }));

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
