/** The packages with their defaults, in the orchestrator's order; no ETag, as there. */
import {
  authenticate,
  bearer,
  keyRing,
  principalOf,
  redisTokenStore,
  requireRole,
  secretKeys,
  tokens,
} from '@signalbox/auth';
import { cache, redisStore as answerStore } from '@signalbox/cache';
import { inParallel } from '@signalbox/compose';
import { requestContext } from '@signalbox/context';
import { errorHandler, notFound } from '@signalbox/errors';
import { createLogger, requestLogger } from '@signalbox/logging';
import { metrics, metricsEndpoint } from '@signalbox/metrics';
import { redisStore, zones } from '@signalbox/rate-limit';
import { connectRedis } from '@signalbox/redis';
import { cors, securityHeaders } from '@signalbox/security';
import { serve, shedLoad } from '@signalbox/server';
import { redisStore as sessionStore, sessions } from '@signalbox/sessions';
import express from 'express';
import { EMAIL, LOGIN_AT, ROLES, SECRET, SUBJECT } from './identity.js';
import { KEPT_SECONDS, searchResults } from './search-results.js';

const logger = createLogger();

const app = express();
app.disable('x-powered-by');
app.disable('etag');
app.use(requestContext());
app.use(requestLogger({ logger }));
app.use(metrics());
app.use(securityHeaders());
app.use(cors({ origins: ['https://app.example.com'] }));
app.get('/metrics', metricsEndpoint());
app.use(shedLoad());

app.get('/ping', (_req, res) => {
  res.json({ ok: true, service: 'bench' });
});

const redis = connectRedis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379');
const limits = zones({
  store: redisStore(redis),
  zones: { api: '1000000000/15m', search: '1000000000/15m', user: '1000000000/15m', me: '1000000000/15m' },
});
app.get('/limited', limits.zone('api'), (_req, res) => {
  res.json({ ok: true, service: 'bench' });
});
app.get('/limited-thrice', limits.zone(['api', 'search', 'user']), (_req, res) => {
  res.json({ ok: true, service: 'bench' });
});

// By default a tier in the process has what was read of Redis lately; without it every hit comes from there, as it
// does in the other servers.
const answers = cache({
  store: answerStore(redis, { local: !process.argv.includes('--redis-only') }),
  ttlMs: KEPT_SECONDS * 1_000,
  xCache: true,
});
app.get('/api/v1/search', inParallel(limits.zone('search'), answers.lookup), answers.answer, (req, res) => {
  res.json(searchResults(req.query['q']));
});

declare module 'express-session' {
  interface SessionData {
    loginAt: number;
  }
}
const session = sessions({ store: sessionStore(redis), secrets: SECRET, cookie: { secure: false } });
const issued = tokens({
  keys: keyRing(secretKeys(SECRET)),
  issuer: 'bench',
  audience: 'bench',
  store: redisTokenStore(redis),
});
app.post('/login', session, express.json(), async (req, res) => {
  await session.signIn(req, SUBJECT, { loginAt: LOGIN_AT });
  const { accessToken } = await issued.issue(SUBJECT, { email: EMAIL, roles: ROLES });
  res.json({ accessToken });
});
app.get(
  '/api/v1/me',
  inParallel(limits.zone('me'), session, authenticate([bearer(issued)])),
  requireRole('admin'),
  (req, res) => {
    const { subject, claims, roles } = principalOf(req);
    res.json({
      user: { id: subject, email: claims['email'], roles },
      session: { loginAt: req.session?.loginAt },
    });
  },
);

app.use(notFound());
app.use(errorHandler());

const { url } = await serve(app, {
  host: process.env.HOST ?? '127.0.0.1',
  port: process.env.PORT ?? 0,
  resources: [{ name: 'redis', phase: 'pools', close: () => redis.close() }],
});
process.stderr.write(`listening on ${url}\n`);
