import type { Server } from 'node:http';
import { fileURLToPath } from 'node:url';
import { requireRole } from '@signalbox/auth';
import { inParallel, module, modules, unless, when } from '@signalbox/compose';
import { deadline, requestContext, within } from '@signalbox/context';
import { errorHandler, notFound } from '@signalbox/errors';
import { searxng } from '@signalbox/gateway';
import { requestLogger, type Logger } from '@signalbox/logging';
import { metrics, metricsEndpoint, metricsJson } from '@signalbox/metrics';
import type { Realtime } from '@signalbox/realtime';
import { connectRedis } from '@signalbox/redis';
import { allowFrom, cors, csrf, cspReports, httpsOnly, screening, trustProxy } from '@signalbox/security';
import { shedLoad, type Resource } from '@signalbox/server';
import { openapiRoute } from '@signalbox/validation';
import compression from 'compression';
import express, { type Express } from 'express';
import { alerting } from './alerting.js';
import { api } from './api.js';
import { apiUsage } from './api-versions.js';
import { background } from './background.js';
import { ANSWER_DEADLINE_MS, JOBS_MS, START_MS } from './deadlines.js';
import { historyKeeper } from './accounts/history-keeper.js';
import { identity } from './identity.js';
import { liveSockets, type Told } from './live.js';
import { logSignals } from './log-signals.js';
import { mail } from './mail.js';
import { adminRouter } from './modules/admin.js';
import { authRouter } from './modules/auth.js';
import { docsRouter } from './modules/docs.js';
import { notForOthers, PROXY_PATH, searxngProxy } from './modules/proxy.js';
import { page } from './page.js';
import { probesOf } from './probes.js';
import { derivedSecret } from './derived-secrets.js';
import { allLimits, pageHeaders } from './protection.js';
import { answerCache, degradedControl } from './search/answer-cache.js';
import { searchJobs } from './search/search-jobs.js';
import { embeddedSearch } from './search/embedded-search.js';
import { searchChain } from './search/search-chain.js';
import type { Settings } from './settings.js';
import { VERSION } from './version.js';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export interface Orchestrator {
  app: Express;
  /** Settles when what takes its time at the start is there, or has failed and will be tried again. */
  ready: Promise<unknown>;
  /** Puts the sockets before the server that serves the app. */
  attach: (server: Server) => void;
  /** What has to be closed, in the order of `serve`. */
  resources: Resource[];
}

/** The composition. The order of the lines is the request's way. */
export function orchestrator(settings: Settings, logger: Logger, publicUrl: () => string): Orchestrator {
  const { ADMIN_ALLOW, METRICS_TOKEN, CORS_ORIGINS, PUBLIC_URL, TRUST_PROXY } = settings;
  const deadlineMs = settings.REDIS_DEADLINE;
  const redis =
    settings.REDIS_URL === undefined ? undefined : connectRedis(settings.REDIS_URL, { deadlineMs });
  const instances = settings.SEARXNG_URLS.length > 0 ? searxng({ urls: settings.SEARXNG_URLS }) : undefined;
  const passThrough = settings.SEARXNG_URLS.length > 0 ? searxngProxy(settings.SEARXNG_URLS) : undefined;
  const measured = metrics();
  // Before what it watches: it hears of changes.
  const watcher = alerting(settings, { registry: measured.registry, redis, logger });
  const answersRedis =
    settings.CACHE_REDIS_URL === undefined
      ? undefined
      : connectRedis(settings.CACHE_REDIS_URL, { name: 'redis-cache', deadlineMs });
  const answers = answerCache(settings, answersRedis ?? redis);
  const usage = apiUsage(redis);
  const endSignals = logSignals(logger);
  const limits = allLimits(settings, redis);
  const who = identity(settings, { redis, logger });
  const probes = probesOf(settings, {
    instances,
    redis,
    answersRedis,
    database: who.database,
    checkTables: () => who.checkTables(),
  });
  const forgery = csrf({
    secrets: settings.SECRET_KEYS,
    publicUrl,
    origins: CORS_ORIGINS,
    session: who.session.idOf,
  });
  const later = background(logger);
  const keeper = historyKeeper(who, later);
  // A Postgres that is not there yet is not waited for for long: whoever asks it tries again.
  const tables = who.prepare();
  later.run('making the tables', tables);
  const letters = mail({
    url: settings.SMTP_URL,
    from: settings.MAIL_FROM,
    logger,
    isLogged: settings.NODE_ENV === 'development',
  });
  const embedded = settings.EMBEDDED_FALLBACK ? embeddedSearch(here('../../../docs'), logger) : undefined;
  const search = searchChain({ instances, embedded, docsUrl: () => `${publicUrl()}/docs` });
  const jobs = searchJobs({ search, redis, logger });
  let live: Realtime<Told> | undefined;
  const screen = screening({ mode: settings.SCREENING, fields: { query: { q: 'search' } } });
  const access = { allow: ADMIN_ALLOW, token: METRICS_TOKEN };
  const realtime = () => ({ enabled: true, messageQueue: redis === undefined ? null : 'redis' });

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
  app.get('/metrics.json', metricsJson({ ...access, redisInfo: redis && (() => redis.info()), realtime }));
  // Without a trusted proxy nobody says how a visitor came, and every redirect would lead to the next.
  if (PUBLIC_URL?.startsWith('https:') && TRUST_PROXY !== 'off')
    app.use(httpsOnly({ publicUrl: PUBLIC_URL, exemptLoopback: true }));
  app.use(shedLoad({ priority: ({ path }) => (/^\/(api|proxy)\//.test(path) ? 'search' : undefined) }));
  app.use(deadline(ANSWER_DEADLINE_MS));
  app.use(compression());
  app.use(page(here('../web')));
  app.use('/docs', docsRouter(here('../../../docs')));
  app.post('/csp-reports', cspReports());

  // Limits, session, revocation and what is kept of earlier answers are asked in one round trip to Redis.
  const everySearch = ['/v1/search', '/v2/search', '/search'];
  app.use(
    everySearch.map((path) => `/api${path}`),
    inParallel(limits.zone(['api', 'search']), who.whoEvenSo, answers.lookup),
  );
  app.use('/api', unless(everySearch, inParallel(limits.zone('api'), who.who)));
  app.use('/auth', inParallel(limits.zone('api'), who.who));
  app.use(PROXY_PATH, inParallel(limits.zone('api'), who.bearerOnly));
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
    adminRouter({
      app,
      limits,
      screen,
      answers,
      usage,
      watcher,
      redis,
      instances,
      passThrough,
      identity: who,
      modules: () => [...searching, loaded],
      live: () => live,
      metrics: metricsEndpoint(access),
      background: later,
    }),
  );
  if (passThrough) app.use(PROXY_PATH, notForOthers, passThrough);

  const { routes, modules: searching } = api({
    answers,
    whenDegraded: degradedControl(settings),
    identity: who,
    keeper,
    limits,
    jobs,
    search,
    background: later,
    logger,
  });
  app.use('/api', routes);
  const loaded = modules(
    app,
    [
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
    // An embedded Postgres keeps the process busy while it starts; better before anybody asks.
    ready: Promise.allSettled([
      ...[...searching, loaded].map(({ ready }) => ready),
      settings.DATABASE_URL === undefined ? tables : atFirst(tables),
      atFirst(redis?.settled()),
      atFirst(answersRedis?.settled()),
    ]),
    attach(server) {
      // With instances before it, it may never be asked.
      if (instances === undefined) embedded?.warmUp();
      live = liveSockets(server, { app, settings, identity: who, jobs, keeper, limits, redis, logger });
    },
    resources: [
      // Told to come back, one after the other, rather than all at once when the process is gone.
      { name: 'live', phase: 'sockets', close: async () => void (await live?.drain()) },
      { name: 'searches', phase: 'jobs', close: () => jobs.close({ budgetMs: JOBS_MS - 500 }) },
      {
        name: 'modules',
        phase: 'jobs',
        close: () => Promise.all([...searching, loaded].map((each) => each.close())),
      },
      { name: 'health', phase: 'jobs', close: () => probes.close() },
      { name: 'background', phase: 'jobs', close: () => later.close() },
      // It writes what it has counted, which takes a Redis that is still open.
      { name: 'usage', phase: 'jobs', close: () => usage.close() },
      // It agrees with other processes who tells, through the same Redis.
      { name: 'alerts', phase: 'jobs', close: () => watcher.close() },
      { name: 'letters', phase: 'pools', close: () => letters.close() },
      { name: 'identity', phase: 'pools', close: () => who.close() },
      { name: 'limits', phase: 'pools', close: () => limits.close() },
      { name: 'answers', phase: 'pools', close: () => answers.close() },
      { name: 'redis', phase: 'pools', close: () => Promise.all([redis?.close(), answersRedis?.close()]) },
      { name: 'embedded engine', phase: 'pools', close: () => embedded?.close() },
      { name: 'searxng', phase: 'pools', close: () => instances?.close() },
      { name: 'proxy', phase: 'pools', close: () => passThrough?.close() },
      { name: 'metrics', phase: 'logs', close: () => measured.close() },
      { name: 'signals', phase: 'logs', close: endSignals },
    ],
  };
}

function atFirst(work: Promise<unknown> | undefined): Promise<unknown> {
  return within<unknown>(START_MS, work, () => undefined);
}
