import type { Cache } from '@signalbox/cache';
import { module, modules, type Modules } from '@signalbox/compose';
import type { Logger } from '@signalbox/logging';
import type { Zones } from '@signalbox/rate-limit';
import { versions } from '@signalbox/versioning';
import { Router, type RequestHandler } from 'express';
import type { HistoryKeeper } from './accounts/history-keeper.js';
import { v1IsDeprecated } from './api-versions.js';
import type { Background } from './background.js';
import type { Identity } from './identity.js';
import { accountRouter } from './modules/account.js';
import { V1, V2, type Format } from './modules/search/answers.js';
import { searchRouter } from './modules/search/router.js';
import { searchesRouter } from './modules/searches.js';
import type { SearchChain } from './search/search-chain.js';
import type { SearchJobs } from './search/search-jobs.js';

export interface ApiParts {
  answers: Cache;
  /** `Cache-Control` of what is second best. */
  whenDegraded: string;
  identity: Identity;
  keeper: HistoryKeeper;
  limits: Zones<'search'>;
  jobs: SearchJobs;
  search: SearchChain;
  background: Background;
  logger: Logger;
}

export interface Api {
  /** Everything below `/api`. */
  routes: RequestHandler;
  /** What loads on its own: the search. Who is signed in can be asked before. */
  modules: readonly Modules[];
}

/** Both versions. What v2 does not have it has from v1. */
export function api({
  answers,
  whenDegraded,
  identity,
  keeper,
  limits,
  jobs,
  search,
  background,
  logger,
}: ApiParts): Api {
  const v1 = Router().use(
    v1IsDeprecated(),
    accountRouter(identity, keeper, background),
    searchesRouter({ jobs, identity, keeper, limits }),
  );
  const v2 = Router();
  const searchIn = (version: Router, name: string, format: Format): Modules => {
    const load = (): Router => searchRouter(format, { search, answers, whenDegraded, identity, keeper });
    return modules(version, [module(name, '/search', load)], { log: logger });
  };
  const loaded = [searchIn(v1, 'search-v1', V1), searchIn(v2, 'search', V2)];
  return { routes: versions({ v1, v2 }, { default: 'v2' }), modules: loaded };
}
