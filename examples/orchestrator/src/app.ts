import { fileURLToPath } from 'node:url';
import { requireRole } from '@signalbox/auth';
import { inParallel, module, modules, unless, when } from '@signalbox/compose';
import { deadline, requestContext } from '@signalbox/context';
import { errorHandler, notFound } from '@signalbox/errors';
import { searxng, type Searxng } from '@signalbox/gateway';
import {
  check,
  eventLoopDelayCheck,
  health,
  memoryCheck,
  postgresCheck,
  redisCheck,
} from '@signalbox/health';
import { requestLogger, type Logger } from '@signalbox/logging';
import { metrics, metricsEndpoint, metricsJson } from '@signalbox/metrics';
import type { Database } from '@signalbox/postgres';
import { connectRedis, type RedisLink } from '@signalbox/redis';
import { allowFrom, cors, csrf, cspReports, httpsOnly, screening, trustProxy } from '@signalbox/security';
import { shedLoad, type Resource } from '@signalbox/server';
import { openapiRoute } from '@signalbox/validation';
import compression from 'compression';
import express, { type Express } from 'express';
import { background } from './background.js';
import { historyKeeper } from './accounts/history-keeper.js';
import { identity } from './identity.js';
import { logSignals } from './log-signals.js';
import { mail } from './mail.js';
import { accountRouter } from './modules/account.js';
import { adminRouter } from './modules/admin.js';
import { authRouter } from './modules/auth.js';
import { docsRouter } from './modules/docs.js';
import { searchRouter } from './modules/search.js';
import { page } from './page.js';
import { allLimits, derivedSecret, pageHeaders } from './protection.js';
import { embeddedEngine } from './search/embedded-engine.js';
import { searchChain } from './search/search-chain.js';
import type { Settings } from './settings.js';
import { VERSION } from './version.js';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export interface Orchestrator {
  app: Express;
  /** Settles when what takes its time at the start is there, or has failed and will be tried again. */
  ready: Promise<unknown>;
  /** What has to be closed, in the order of `serve`. */
  resources: Resource[];
}

/** The composition. The order of the lines is the request's way. */
export function orchestrator(settings: Settings, logger: Logger, publicUrl: () => string): Orchestrator {
  const { ADMIN_ALLOW, METRICS_TOKEN, CORS_ORIGINS, PUBLIC_URL, TRUST_PROXY } = settings;
  const redis = settings.REDIS_URL === undefined ? undefined : connectRedis(settings.REDIS_URL);
  const instances = settings.SEARXNG_URLS.length > 0 ? searxng({ urls: settings.SEARXNG_URLS }) : undefined;
  const measured = metrics();
  const endSignals = logSignals(logger);
  const limits = allLimits(settings, redis);
  const who = identity(settings, { redis, logger });
  const probes = probesOf(settings, { instances, redis, database: who.database });
  const forgery = csrf({
    secrets: settings.SECRET_KEYS,
    publicUrl,
    origins: CORS_ORIGINS,
    session: who.session.idOf,
  });
  const later = background(logger);
  const keeper = historyKeeper(who, later);
  // A Postgres that is not there yet is not waited for: whoever asks it tries again.
  const tables = who.prepare();
  later.run('making the tables', tables);
  const letters = mail({
    url: settings.SMTP_URL,
    from: settings.MAIL_FROM,
    logger,
    isLogged: settings.NODE_ENV === 'development',
  });
  const screen = screening({ mode: settings.SCREENING, fields: { query: { q: 'search' } } });
  const access = { allow: ADMIN_ALLOW, token: METRICS_TOKEN };

  const app = express();
  app.disable('x-powered-by');
  // An ETag hashes every answer. What may be kept has one that was made once: the page, and files.
  app.disable('etag');
  app.set('trust proxy', trustProxy(TRUST_PROXY));

  app.use(requestContext());
  app.use(
    requestLogger({
      logger,
      privacy: settings.PRIVACY && { key: derivedSecret(settings, 'logging:visitor') },
    }),
  );
  app.use(measured);
  app.use(pageHeaders(settings));
  app.use(cors({ origins: CORS_ORIGINS }));
  app.use(probes.probes());
  app.get('/metrics', metricsEndpoint(access));
  app.get('/metrics.json', metricsJson({ ...access, redisInfo: redis && (() => redis.info()) }));
  // Without a trusted proxy nobody says how a visitor came, and every redirect would lead to the next.
  if (PUBLIC_URL?.startsWith('https:') && TRUST_PROXY !== 'off')
    app.use(httpsOnly({ publicUrl: PUBLIC_URL }));
  app.use(shedLoad({ priority: ({ path }) => (path.startsWith('/api/') ? 'search' : undefined) }));
  app.use(deadline(30_000));
  app.use(compression());
  app.use(page(here('../web')));
  app.use('/docs', docsRouter(here('../../../docs')));
  app.post('/csp-reports', cspReports());

  // Limits, session and revocation are asked in one round trip to Redis.
  app.use('/api/v1/search', inParallel(limits.zone(['api', 'search']), who.whoEvenSo));
  app.use('/api', unless('/v1/search', inParallel(limits.zone('api'), who.who)));
  app.use('/auth', inParallel(limits.zone('api'), who.who));
  app.use('/admin', allowFrom(ADMIN_ALLOW), inParallel(limits.zone('api'), who.who));
  // Guests and keys are counted each by itself: another question, which nobody else waits for.
  app.use(when((req) => req.auth?.roles.includes('guest') === true, limits.zone('guest')));
  app.use(when((req) => req.auth?.method === 'api_key', limits.zone('key')));
  app.use(forgery);
  app.get('/auth/csrf', forgery.route());
  app.get('/.well-known/jwks.json', who.tokens.jwksRoute());
  app.use(screen);
  app.use(
    '/admin',
    who.required,
    requireRole('admin'),
    adminRouter({ limits, screen, redis, identity: who, modules: () => loaded }),
  );

  app.use('/api/v1', accountRouter(who, keeper));
  const loaded = modules(
    app,
    [
      module('search', '/api/v1', async () => {
        const embedded = settings.EMBEDDED_FALLBACK
          ? await embeddedEngine({
              docsFolder: here('../../../docs'),
              docsUrl: () => `${publicUrl()}/docs`,
              from: here('..'),
            })
          : undefined;
        if (embedded) logger.info({ documents: embedded.size }, 'the embedded engine is ready');
        return searchRouter({ search: searchChain({ instances, embedded }), identity: who, keeper });
      }),
      module('auth', '/auth', () =>
        authRouter({
          settings,
          identity: who,
          limits,
          redis,
          mail: letters,
          background: later,
          publicUrl,
        }),
      ),
    ],
    { log: logger },
  );
  app.get('/openapi.json', openapiRoute({ info: { title: 'Signalbox orchestrator', version: VERSION } }));

  app.use(notFound());
  app.use(errorHandler({ development: settings.NODE_ENV === 'development' }));

  return {
    app,
    // The embedded one keeps the process busy while it starts; better before anybody asks.
    ready: Promise.allSettled([loaded.ready, settings.DATABASE_URL === undefined ? tables : undefined]),
    resources: [
      { name: 'modules', phase: 'jobs', close: () => loaded.close() },
      { name: 'health', phase: 'jobs', close: () => probes.close() },
      { name: 'background', phase: 'jobs', close: () => later.close() },
      { name: 'letters', phase: 'pools', close: () => letters.close() },
      { name: 'identity', phase: 'pools', close: () => who.close() },
      { name: 'limits', phase: 'pools', close: () => limits.close() },
      { name: 'redis', phase: 'pools', close: () => redis?.close() },
      { name: 'searxng', phase: 'pools', close: () => instances?.close() },
      { name: 'metrics', phase: 'logs', close: () => measured.close() },
      { name: 'signals', phase: 'logs', close: endSignals },
    ],
  };
}

/** What the process depends on. */
interface Dependencies {
  instances: Searxng | undefined;
  redis: RedisLink | undefined;
  database: Database;
}

function probesOf(
  settings: Settings,
  { instances, redis, database }: Dependencies,
): ReturnType<typeof health> {
  return health({
    service: 'signalbox-orchestrator',
    version: VERSION,
    environment: settings.NODE_ENV,
    access: settings.ADMIN_ALLOW,
    checks: [
      check('event-loop', eventLoopDelayCheck()),
      check('memory', memoryCheck()),
      check('postgres', postgresCheck(database)),
      ...(redis ? [check('redis', redisCheck(redis))] : []),
      ...(instances ? [check('searxng', async (signal) => void (await instances.check({ signal })))] : []),
    ],
  });
}
