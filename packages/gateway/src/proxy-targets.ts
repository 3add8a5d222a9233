import type { IncomingMessage } from 'node:http';
import { parsedUrl } from '@signalbox/options';
import { healthOf, type Health, type HealthCheckOptions, type UpstreamHealth } from './health.js';
import type { UpstreamSettings } from './options.js';
import { isPrivateLiteral } from './proxy-allow-list.js';
import { ROUTE } from './proxy-call.js';
import { ProxyTargetError } from './proxy-errors.js';
import type { ProxySettings } from './proxy-options.js';
import { publicLookup } from './public-address.js';
import { retryBudget, type RetryBudget } from './retry-budget.js';
import { createServer, type Server, type ServerReport } from './server.js';
import { chooseServer } from './server-choice.js';
import { serverAddresses } from './server-address.js';

/** Servers that do the same, and what is shared by requests to them. */
export interface Target {
  readonly settings: UpstreamSettings;
  readonly servers: readonly Server[];
  readonly budget: RetryBudget;
}

const NOBODY: ReadonlySet<Server> = new Set();

/** The server to ask; `undefined` when none may be asked. */
export function serverOf(target: Target, asked: ReadonlySet<Server> | undefined): Server | undefined {
  const { servers, settings } = target;
  const [first] = servers;
  if (servers.length > 1 || first === undefined)
    return chooseServer(servers, settings.mode, ROUTE, asked ?? NOBODY);
  return first.blockedUntil(ROUTE) === 0 ? first : undefined;
}

/** Where a proxy's requests go. */
export interface Targets {
  /**
   * The target of a request; `undefined` when it is none of the proxy's.
   *
   * @throws {ProxyTargetError} when the target may not be one
   */
  of(req: IncomingMessage): Target | undefined;
  /** The one that is open in the place of a target that was given out before; most often itself. */
  open(target: Target): Target;
  check(options?: HealthCheckOptions): Promise<UpstreamHealth>;
  state(): ServerReport[];
  close(): Promise<void>;
}

export function createTargets(settings: ProxySettings): Targets {
  return settings.choose === undefined ? fixedTarget(settings) : chosenTargets(settings, settings.choose);
}

function openTarget(upstream: UpstreamSettings, settings: ProxySettings, isGuarded: boolean): Target {
  const lookup = isGuarded ? publicLookup(settings.lookup) : settings.lookup;
  const servers: Server[] = upstream.addresses.map((address) =>
    createServer(address, upstream, () => servers.filter((server) => server.isIn).length <= 1, {
      lookup,
      maxHeaderBytes: settings.maxHeaderBytes,
    }),
  );
  return { settings: upstream, servers, budget: retryBudget(upstream.retryBudget) };
}

function fixedTarget(settings: ProxySettings): Targets {
  // Who wrote the options may well mean a private address, and names are theirs.
  const target = openTarget(settings.upstream, settings, false);
  const health: Health = healthOf(target.servers, target.settings);
  return {
    of: () => target,
    open: () => target,
    check: (options) => health.check(options),
    state: () => target.servers.map((server) => server.state()),
    async close() {
      health.close();
      await closeAll([target]);
    },
  };
}

/** Pools that are kept for targets that were chosen before; the one that was not asked for longest goes first. */
const MAX_TARGETS = 100;

function chosenTargets(settings: ProxySettings, choose: NonNullable<ProxySettings['choose']>): Targets {
  const open = new Map<string, Target>();
  const keys = new WeakMap<Target, string>();

  function openFor(text: string): Target {
    const url = parsedUrl(text);
    if (url === undefined) throw new ProxyTargetError('The target is not one that is allowed.');
    const judgement = choose.allow.judge(url);
    // A query belongs to the request.
    if (judgement === 'refused' || url.search !== '' || url.hash !== '') {
      throw new ProxyTargetError('The target is not one that is allowed.');
    }
    // An address that the list names as such is meant; a name may stand for any address.
    const isMeant = judgement === 'listed' && isPrivateLiteral(url);
    if (!choose.allowPrivate && !isMeant && isPrivateLiteral(url)) {
      throw new ProxyTargetError('The target is not one that is allowed.');
    }
    const [address] = serverAddresses('proxy', 'to', url);
    const upstream: UpstreamSettings = {
      ...settings.upstream,
      addresses: address === undefined ? [] : [address],
    };
    return openTarget(upstream, settings, !choose.allowPrivate);
  }

  function targetOf(key: string): Target {
    const known = open.get(key);
    if (known !== undefined) {
      open.delete(key);
      open.set(key, known);
      return known;
    }
    const target = openFor(key);
    open.set(key, target);
    keys.set(target, key);
    const [[oldest, leaving] = []] = open;
    if (open.size > MAX_TARGETS && oldest !== undefined && leaving !== undefined) {
      open.delete(oldest);
      void closeAll([leaving]);
    }
    return target;
  }

  return {
    of(req) {
      const choice = choose.target(req);
      return choice === undefined ? undefined : targetOf(String(choice));
    },
    open(target) {
      const key = keys.get(target);
      return key === undefined ? target : targetOf(key);
    },
    async check(options) {
      options?.signal?.throwIfAborted();
      return { upstream: settings.name, servers: [] };
    },
    state: () => [...open.values()].flatMap(({ servers }) => servers.map((server) => server.state())),
    close: () => closeAll([...open.values()]),
  };
}

async function closeAll(targets: readonly Target[]): Promise<void> {
  await Promise.all(targets.flatMap(({ servers }) => servers.map((server) => server.close())));
}
