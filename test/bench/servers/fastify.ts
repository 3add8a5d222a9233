/** Fastify 5 with its official plugins and its own logger, each by its README. */
import { randomUUID } from 'node:crypto';
import cookie from '@fastify/cookie';
import cors from '@fastify/cors';
import helmet from '@fastify/helmet';
import jwt from '@fastify/jwt';
import rateLimit from '@fastify/rate-limit';
import fastifyRedis from '@fastify/redis';
import session, { type SessionStore } from '@fastify/session';
import { RedisStore } from 'connect-redis';
import { fastify, type FastifyReply, type FastifyRequest } from 'fastify';
import metrics from 'fastify-metrics';
import { Redis } from 'ioredis';
import { EMAIL, LOGIN_AT, ROLES, SECRET, SUBJECT } from './identity.js';
import { KEPT_SECONDS, searchResults } from './search-results.js';

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
await app.register(fastifyRedis, { client: redis });
await app.register(rateLimit, { global: false, redis });

app.decorateRequest('isKept', false);
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

// @fastify/caching writes header fields and gives out a key-value store, but keeps no answers: so people write two hooks
// over @fastify/redis. What stands in Redis is sent as it stands there.
app.get<{ Querystring: { q: string } }>(
  '/api/v1/search',
  {
    config: { rateLimit: LIMIT },
    async preHandler(request, reply) {
      const kept = await app.redis.get(`cache:fastify:${request.url}`);
      if (kept === null) return undefined;
      request.isKept = true;
      return reply.header('x-cache', 'HIT').type('application/json; charset=utf-8').send(kept);
    },
    async onSend(request, reply, payload) {
      if (request.isKept || reply.statusCode !== 200 || typeof payload !== 'string') return;
      reply.header('x-cache', 'MISS');
      await app.redis.setex(`cache:fastify:${request.url}`, KEPT_SECONDS, payload);
    },
  },
  async ({ query }) => searchResults(query.q),
);

declare module 'fastify' {
  interface FastifyRequest {
    /** Whether the answer comes from the cache. */
    isKept: boolean;
  }
  interface Session {
    userId: string;
    loginAt: number;
  }
}
declare module '@fastify/jwt' {
  interface FastifyJWT {
    payload: { email: string; roles: string[] };
    user: { sub: string; email: string; roles: string[]; jti: string };
  }
}

function requireRole(role: string) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    if (!request.user.roles.includes(role)) await reply.status(403).send({ error: { code: 403 } });
  };
}

// Only what needs a session reads one.
await app.register(async (api) => {
  await api.register(cookie);
  await api.register(session, {
    secret: SECRET,
    store: new RedisStore({ client: redis }) as SessionStore,
    saveUninitialized: false,
    rolling: true,
    cookie: { maxAge: 24 * 60 * 60 * 1000, sameSite: 'lax', secure: false },
  });
  await api.register(jwt, {
    secret: SECRET,
    trusted: async (_request, { jti }) => (await redis.exists(`revoked:${jti}`)) === 0,
  });

  api.post('/login', async (request) => {
    request.session.userId = SUBJECT;
    request.session.loginAt = LOGIN_AT;
    const options = { sign: { sub: SUBJECT, jti: randomUUID(), expiresIn: '1h' } };
    return { accessToken: api.jwt.sign({ email: EMAIL, roles: ROLES }, options.sign) };
  });
  api.get(
    '/api/v1/me',
    {
      config: { rateLimit: LIMIT },
      preHandler: [(request) => request.jwtVerify(), requireRole('admin')],
    },
    async ({ user, session: { loginAt } }) => ({
      user: { id: user.sub, email: user.email, roles: user.roles },
      session: { loginAt },
    }),
  );
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
