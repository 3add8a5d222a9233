import type { Cache } from '@signalbox/cache';
import { module, modules, type Modules } from '@signalbox/compose';
import type { Searxng } from '@signalbox/gateway';
import type { Logger } from '@signalbox/logging';
import { versions } from '@signalbox/versioning';
import { Router, type RequestHandler } from 'express';
import type { HistoryKeeper } from './accounts/history-keeper.js';
import { v1IsDeprecated } from './api-versions.js';
import type { Identity } from './identity.js';
import { accountRouter } from './modules/account.js';
import { V1, V2, type Format } from './modules/search/answers.js';
import { searchRouter } from './modules/search/router.js';
import type { EmbeddedEngine } from './search/embedded-engine.js';
import { searchChain, type SearchChain } from './search/search-chain.js';

export interface ApiParts {
  answers: Cache;
  identity: Identity;
  keeper: HistoryKeeper;
  instances: Searxng | undefined;
  /** Makes the engine in this process, where there is to be one. */
  embedded: () => Promise<EmbeddedEngine | undefined>;
  logger: Logger;
}

export interface Api {
  /** Everything below `/api`. */
  routes: RequestHandler;
  /** What loads on its own: the search. Who is signed in can be asked before. */
  modules: readonly Modules[];
}

/** Both versions. What v2 does not have it has from v1. */
export function api({ answers, identity, keeper, instances, embedded, logger }: ApiParts): Api {
  const search = once(async () => searchChain({ instances, embedded: await embedded() }));
  const v1 = Router().use(v1IsDeprecated(), accountRouter(identity, keeper));
  const v2 = Router();
  const searchIn = (version: Router, name: string, format: Format): Modules => {
    const load = async (): Promise<Router> =>
      searchRouter(format, { search: await search(), answers, identity, keeper });
    return modules(version, [module(name, '/search', load)], { log: logger });
  };
  const loaded = [searchIn(v1, 'search-v1', V1), searchIn(v2, 'search', V2)];
  return { routes: versions({ v1, v2 }, { default: 'v2' }), modules: loaded };
}

/** One for both versions; made anew only after it failed. */
function once(make: () => Promise<SearchChain>): () => Promise<SearchChain> {
  let made: Promise<SearchChain> | undefined;
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}
