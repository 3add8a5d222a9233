import cluster from 'node:cluster';
import { refuseUnknownOptions, requireObject, requireText, shown, wrongOption } from '@signalbox/options';
import { type AccessRule, type DetailAccess, resolveAccess } from './access.js';
import { type Check, check } from './check.js';

/** How the app is deployed, as `/health` tells it. */
export interface Deployment {
  /** @default 'cluster' in a worker of `node:cluster`, else 'single' */
  mode?: string | undefined;
  /** @default 'node' */
  server?: string | undefined;
  /** What carries messages between processes, such as `redis`; shown as `message_queue`. */
  messageQueue?: string | undefined;
}

/** The probes, by the name that {@link HealthOptions.paths} knows them by. */
export type ProbeName = 'health' | 'detailed' | 'livez' | 'readyz' | 'status';

export interface HealthOptions {
  /** Name of the app. */
  service: string;
  version: string;
  /** @default `NODE_ENV`, else 'development' */
  environment?: string | undefined;
  deployment?: Deployment | undefined;
  /**
   * What to look at, each made by `check()`. Names are unique.
   * @default []
   */
  checks?: readonly Check[] | undefined;
  /**
   * Who may read `/health/detailed`: addresses and CIDR ranges, judged after trusted proxies, or a
   * function of the request.
   * @default ['127.0.0.0/8', '::1']
   */
  access?: DetailAccess | undefined;
  /** Other paths for some probes; `false` leaves one out. */
  paths?: Partial<Record<ProbeName, string | false | undefined>> | undefined;
}

export interface ResolvedOptions {
  readonly service: string;
  readonly version: string;
  readonly environment: string;
  readonly deployment: {
    readonly mode: string;
    readonly server: string;
    readonly message_queue: string | null;
  };
  readonly checks: readonly Check[];
  readonly mayReadDetails: AccessRule;
  readonly paths: ReadonlyMap<ProbeName, string>;
}

const OPTIONS = ['service', 'version', 'environment', 'deployment', 'checks', 'access', 'paths'] as const;

const DEFAULT_PATHS: Readonly<Record<ProbeName, string>> = {
  health: '/health',
  detailed: '/health/detailed',
  livez: '/livez',
  readyz: '/readyz',
  status: '/status',
};

/** Fills in the defaults, or throws a `TypeError` naming the bad option. */
export function resolveOptions(options: HealthOptions): ResolvedOptions {
  requireObject('health', 'options', options);
  refuseUnknownOptions('health', options, OPTIONS);
  const {
    service,
    version,
    environment = process.env['NODE_ENV'] ?? 'development',
    deployment = {},
    checks = [],
    access = ['127.0.0.0/8', '::1'],
    paths = {},
  } = options;

  requireText('health', 'service', service);
  requireText('health', 'version', version);
  requireText('health', 'environment', environment);

  return {
    service,
    version,
    environment,
    deployment: resolveDeployment(deployment),
    checks: resolveChecks(checks),
    mayReadDetails: resolveAccess(access),
    paths: resolvePaths(paths),
  };
}

function resolveDeployment(deployment: Deployment): ResolvedOptions['deployment'] {
  requireObject('health', 'deployment', deployment);
  refuseUnknownOptions('health: "deployment"', deployment, ['mode', 'server', 'messageQueue']);
  const { mode = cluster.isWorker ? 'cluster' : 'single', server = 'node', messageQueue } = deployment;
  requireText('health', 'deployment.mode', mode);
  requireText('health', 'deployment.server', server);
  if (messageQueue !== undefined) requireText('health', 'deployment.messageQueue', messageQueue);
  return { mode, server, message_queue: messageQueue ?? null };
}

function resolveChecks(checks: readonly Check[]): readonly Check[] {
  if (!Array.isArray(checks)) throw wrongOption('health', 'checks', 'an array', checks);
  const names = new Set<string>();
  for (const each of checks as readonly (Check | undefined)[]) {
    if (typeof each?.run !== 'function' || typeof each.timeoutMs !== 'number') {
      throw new TypeError(`health: "checks" must hold what ${check.name}() returns, got ${shown(each)}`);
    }
    if (names.has(each.name)) {
      throw new TypeError(`health: "checks" must have names of their own, got "${each.name}" twice`);
    }
    names.add(each.name);
  }
  return checks;
}

function resolvePaths(paths: NonNullable<HealthOptions['paths']>): ReadonlyMap<ProbeName, string> {
  requireObject('health', 'paths', paths);
  refuseUnknownOptions('health: "paths"', paths, Object.keys(DEFAULT_PATHS));
  const resolved = new Map<ProbeName, string>();
  for (const [name, byDefault] of Object.entries(DEFAULT_PATHS) as [ProbeName, string][]) {
    const path = paths[name] ?? byDefault;
    if (path === false) continue;
    if (typeof path !== 'string' || !/^\/[^?#\s]*[^?#\s/]$/.test(path)) {
      const wanted = `a path such as "${byDefault}" without a slash at its end`;
      throw wrongOption('health', `paths.${name}`, wanted, path);
    }
    if ([...resolved.values()].includes(path)) {
      throw new TypeError(`health: "paths.${name}" must differ from the other paths, got "${path}" twice`);
    }
    resolved.set(name, path);
  }
  return resolved;
}
