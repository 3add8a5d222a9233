/** What a team wires from the same libraries, each by its README. */
import { randomUUID } from 'node:crypto';
import { RedisStore as SessionStore } from 'connect-redis';
import cors from 'cors';
import express, { type NextFunction, type Request, type Response } from 'express';
import { rateLimit, type RateLimitRequestHandler } from 'express-rate-limit';
import session from 'express-session';
import helmet from 'helmet';
import { Redis } from 'ioredis';
import jwt from 'jsonwebtoken';
import { pinoHttp } from 'pino-http';
import { collectDefaultMetrics, Counter, Histogram, register } from 'prom-client';
import { RedisStore, type RedisReply } from 'rate-limit-redis';
import { EMAIL, LOGIN_AT, ROLES, SECRET, SUBJECT } from './identity.js';
import { apicacheOnRedis, handWrittenCache } from './hand-wired-cache.js';
import { listenForBench } from './listen-for-bench.js';
import { searchResults } from './search-results.js';

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

const cached = process.argv.includes('--apicache')
  ? apicacheOnRedis()
  : [handWrittenCache(client, process.argv.includes('--parse'))];
app.get('/api/v1/search', limiter('search'), ...cached, (req, res) => {
  res.json(searchResults(req.query['q']));
});

declare module 'express-session' {
  interface SessionData {
    userId: string;
    loginAt: number;
  }
}
const sessions = session({
  store: new SessionStore({ client }),
  secret: SECRET,
  resave: false,
  saveUninitialized: false,
  rolling: true,
  cookie: { maxAge: 24 * 60 * 60 * 1000, sameSite: 'lax' },
});

interface Claims extends jwt.JwtPayload {
  email: string;
  roles: string[];
}

async function authenticated(req: Request, res: Response, next: NextFunction): Promise<void> {
  const [scheme, token = ''] = (req.get('Authorization') ?? '').split(' ');
  try {
    if (scheme !== 'Bearer') throw new Error('No token');
    const claims = jwt.verify(token, SECRET, { algorithms: ['HS256'] }) as Claims;
    if (await client.exists(`revoked:${claims.jti}`)) throw new Error('Revoked');
    res.locals.claims = claims;
    next();
  } catch {
    next(Object.assign(new Error('The token is not valid'), { status: 401, type: 'invalid_token' }));
  }
}

function requireRole(role: string) {
  return (_req: Request, res: Response, next: NextFunction): void => {
    if ((res.locals.claims as Claims).roles.includes(role)) next();
    else next(Object.assign(new Error('Not allowed'), { status: 403, type: 'forbidden' }));
  };
}

app.post('/login', sessions, express.json(), (req, res) => {
  req.session.userId = SUBJECT;
  req.session.loginAt = LOGIN_AT;
  const claims = { email: EMAIL, roles: ROLES };
  res.json({
    accessToken: jwt.sign(claims, SECRET, { subject: SUBJECT, jwtid: randomUUID(), expiresIn: '1h' }),
  });
});
app.get('/api/v1/me', limiter('me'), sessions, authenticated, requireRole('admin'), (req, res) => {
  const { sub, email, roles } = res.locals.claims as Claims;
  res.json({ user: { id: sub, email, roles }, session: { loginAt: req.session.loginAt } });
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
