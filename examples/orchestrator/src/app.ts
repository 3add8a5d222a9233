import { hkdfSync } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { module, modules, type Modules } from '@signalbox/compose';
import { deadline, requestContext } from '@signalbox/context';
import { errorHandler, notFound } from '@signalbox/errors';
import { searxng, type Searxng } from '@signalbox/gateway';
import { check, eventLoopDelayCheck, health, memoryCheck } from '@signalbox/health';
import { requestLogger, type Logger } from '@signalbox/logging';
import { metrics, metricsEndpoint, metricsJson } from '@signalbox/metrics';
import { shedLoad, type Resource } from '@signalbox/server';
import { openapiRoute } from '@signalbox/validation';
import compression from 'compression';
import cors from 'cors';
import express, { type Express } from 'express';
import { logSignals } from './log-signals.js';
import { docsRouter } from './modules/docs.js';
import { searchRouter } from './modules/search.js';
import { page } from './page.js';
import { embeddedEngine } from './search/embedded-engine.js';
import { searchChain } from './search/search-chain.js';
import { securityHeaders } from './security-headers.js';
import { proxyTrust, type Settings } from './settings.js';
import { VERSION } from './version.js';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export interface Orchestrator {
  app: Express;
  modules: Modules;
  /** What has to be closed, in the order of `serve`. */
  resources: Resource[];
}

/** The composition. The order of the lines is the request's way. */
export function orchestrator(settings: Settings, logger: Logger, publicUrl: () => string): Orchestrator {
  const { ADMIN_ALLOW, METRICS_TOKEN, CORS_ORIGINS } = settings;
  const instances = settings.SEARXNG_URLS.length > 0 ? searxng({ urls: settings.SEARXNG_URLS }) : undefined;
  const measured = metrics();
  const endSignals = logSignals(logger);
  const probes = probesOf(settings, instances);
  const access = { allow: ADMIN_ALLOW, token: METRICS_TOKEN };

  const app = express();
  app.disable('x-powered-by');
  // An ETag hashes every answer. What may be kept has one that was made once: the page, and files.
  app.disable('etag');
  app.set('trust proxy', proxyTrust(settings.TRUST_PROXY));

  app.use(requestContext());
  app.use(requestLogger({ logger, privacy: settings.PRIVACY && { key: visitorKey(settings) } }));
  app.use(measured);
  app.use(securityHeaders({ https: settings.PUBLIC_URL?.startsWith('https:') ?? false }));
  app.use(
    cors({ origin: corsOrigins(CORS_ORIGINS), credentials: true, exposedHeaders: EXPOSED, maxAge: 3_600 }),
  );
  app.use(probes.probes());
  app.get('/metrics', metricsEndpoint(access));
  app.get('/metrics.json', metricsJson(access));
  app.use(shedLoad({ priority: ({ path }) => (path.startsWith('/api/') ? 'search' : undefined) }));
  app.use(deadline(30_000));
  app.use(compression());
  app.use(page(here('../web')));
  app.use('/docs', docsRouter(here('../../../docs')));

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
        return searchRouter(searchChain({ instances, embedded }));
      }),
    ],
    { log: logger },
  );
  app.get('/openapi.json', openapiRoute({ info: { title: 'Signalbox orchestrator', version: VERSION } }));

  app.use(notFound());
  app.use(errorHandler({ development: settings.NODE_ENV === 'development' }));

  return {
    app,
    modules: loaded,
    resources: [
      { name: 'modules', phase: 'jobs', close: () => loaded.close() },
      { name: 'health', phase: 'jobs', close: () => probes.close() },
      { name: 'searxng', phase: 'pools', close: () => instances?.close() },
      { name: 'metrics', phase: 'logs', close: () => measured.close() },
      { name: 'signals', phase: 'logs', close: endSignals },
    ],
  };
}

/** Processes that share their secrets give a visitor the same name. */
function visitorKey({ SECRET_KEYS: [newest = ''] }: Settings): Buffer {
  return Buffer.from(hkdfSync('sha256', newest, '', 'signalbox:logging:visitor', 32));
}

/** Header fields that a script of another origin may read. */
const EXPOSED = [
  'X-Total-Count',
  'X-Page',
  'X-Per-Page',
  'X-Request-ID',
  'Link',
  'Cache-Status',
  'Retry-After',
];

function probesOf(settings: Settings, instances: Searxng | undefined): ReturnType<typeof health> {
  return health({
    service: 'signalbox-orchestrator',
    version: VERSION,
    environment: settings.NODE_ENV,
    access: settings.ADMIN_ALLOW,
    checks: [
      check('event-loop', eventLoopDelayCheck()),
      check('memory', memoryCheck()),
      ...(instances ? [check('searxng', async (signal) => void (await instances.check({ signal })))] : []),
    ],
  });
}

/** `https://*.example.org` stands for every host below it, and not for those that only end alike. */
function corsOrigins(origins: readonly string[]): (string | RegExp)[] {
  return origins.map((origin) => {
    if (!origin.includes('*')) return origin;
    const [before = '', after = ''] = origin
      .split('*')
      .map((part) => part.replace(/[.\\^$|?+()[\]{}/]/g, '\\$&'));
    return new RegExp(`^${before}[a-z0-9-]+(\\.[a-z0-9-]+)*${after}$`, 'i');
  });
}
