import {
  refuseUnknownOptions,
  requireFunction,
  requireMilliseconds,
  requireObject,
  requireOneOf,
  requireText,
  wrongOption,
} from '@signalbox/options';

/** When in a shutdown a resource is closed: sockets first, logs last. */
export type ResourcePhase = 'sockets' | 'jobs' | 'pools' | 'logs';

/** Something that is closed in order when the server has drained. */
export interface Resource {
  /** How the report names it, such as `postgres`. */
  name: string;
  /** Closes it. May return a promise; the drain waits for it within the budget. */
  close: () => unknown;
  /**
   * Resources of one phase are closed at the same time, one phase after the other.
   * @default 'pools'
   */
  phase?: ResourcePhase | undefined;
  /** Time it may take, in milliseconds: at most, and by default, the budget of its phase. */
  budgetMs?: number | undefined;
}

/** How long each part of a drain may take. A part that is done early gives way to the next at once. */
export interface DrainOptions {
  /**
   * Time for everything, in milliseconds. Whoever stops the process must wait longer than that.
   * @default 30_000
   */
  totalMs?: number | undefined;
  /**
   * How long requests are still taken as before, after readiness went off: the time that a load
   * balancer needs to notice. Left out where the process manager has put another worker in this one's place.
   * @default 0
   */
  readinessDelayMs?: number | undefined;
  /**
   * How long connections without a request stay open for one that is already on its way.
   * Where the process manager has put another worker in this one's place, nobody waits for it, and it is longer.
   * @default 1_000, in a replaced worker 3_000, or `httpMs` where that is less
   */
  lingerMs?: number | undefined;
  /**
   * Budget for requests to be answered, the linger included.
   * @default what the others leave of `totalMs`
   */
  httpMs?: number | undefined;
  /**
   * Budget for event streams and upgraded connections, and for resources of the phase `sockets`.
   * @default a sixth of `totalMs`
   */
  socketsMs?: number | undefined;
  /**
   * Budget for resources of the phase `jobs`.
   * @default a sixth of `totalMs`
   */
  jobsMs?: number | undefined;
  /**
   * Budget for resources of the phase `pools`.
   * @default a tenth of `totalMs`
   */
  poolsMs?: number | undefined;
  /**
   * Budget for resources of the phase `logs`.
   * @default a thirtieth of `totalMs`
   */
  logsMs?: number | undefined;
}

/** {@link DrainOptions} with nothing left open. */
export interface DrainBudgets {
  readonly totalMs: number;
  readonly readinessDelayMs: number;
  readonly lingerMs: number;
  /** The linger of a worker in whose place another one serves. */
  readonly replacedLingerMs: number;
  readonly httpMs: number;
  readonly socketsMs: number;
  readonly jobsMs: number;
  readonly poolsMs: number;
  readonly logsMs: number;
}

const PHASES: readonly ResourcePhase[] = ['sockets', 'jobs', 'pools', 'logs'];
const BUDGETS = [
  'totalMs',
  'readinessDelayMs',
  'lingerMs',
  'httpMs',
  'socketsMs',
  'jobsMs',
  'poolsMs',
  'logsMs',
] as const;

/** @throws {TypeError} when a budget is out of range, or they add up to more than `totalMs` */
export function resolveDrainBudgets(options: DrainOptions): DrainBudgets {
  requireObject('serve', 'drain', options);
  refuseUnknownOptions('serve: "drain"', options, BUDGETS);
  for (const name of BUDGETS) {
    const min = name === 'readinessDelayMs' || name === 'lingerMs' ? 0 : 1;
    if (options[name] !== undefined) requireMilliseconds('serve', `drain.${name}`, options[name], min);
  }

  const { totalMs = 30_000, readinessDelayMs = 0 } = options;
  const share = (fraction: number): number => Math.max(1, Math.floor(totalMs * fraction));
  const {
    socketsMs = share(1 / 6),
    jobsMs = share(1 / 6),
    poolsMs = share(1 / 10),
    logsMs = share(1 / 30),
  } = options;

  const others = readinessDelayMs + socketsMs + jobsMs + poolsMs + logsMs;
  const { httpMs = totalMs - others } = options;
  if (httpMs < 1 || others + httpMs > totalMs) {
    const sum = others + (options.httpMs ?? 1);
    throw new TypeError(
      `serve: the budgets in "drain" must fit into "totalMs" (${totalMs}), but add up to at least ${sum}`,
    );
  }

  const { lingerMs = Math.min(1_000, httpMs) } = options;
  if (lingerMs > httpMs) {
    throw wrongOption('serve', 'drain.lingerMs', `at most the ${httpMs} ms of "httpMs"`, lingerMs);
  }
  const replacedLingerMs = options.lingerMs ?? Math.min(3_000, httpMs);
  return {
    totalMs,
    readinessDelayMs,
    lingerMs,
    replacedLingerMs,
    httpMs,
    socketsMs,
    jobsMs,
    poolsMs,
    logsMs,
  };
}

/** The same plan for a worker in whose place another one serves: no balancer has to look away. */
export function whileOthersServe(budgets: DrainBudgets): DrainBudgets {
  return { ...budgets, readinessDelayMs: 0, lingerMs: budgets.replacedLingerMs };
}

/** The same plan in less time, for a process that cannot wait: every part shrinks alike. */
export function shrinkBudgets(budgets: DrainBudgets, withinMs: number): DrainBudgets {
  const factor = Math.min(1, withinMs / budgets.totalMs);
  const less = (ms: number): number => Math.floor(ms * factor);
  return {
    totalMs: less(budgets.totalMs),
    readinessDelayMs: less(budgets.readinessDelayMs),
    lingerMs: less(budgets.lingerMs),
    replacedLingerMs: less(budgets.replacedLingerMs),
    httpMs: less(budgets.httpMs),
    socketsMs: less(budgets.socketsMs),
    jobsMs: less(budgets.jobsMs),
    poolsMs: less(budgets.poolsMs),
    logsMs: less(budgets.logsMs),
  };
}

/** @throws {TypeError} naming the resource that is not one */
export function checkResources(resources: readonly Resource[], budgets: DrainBudgets): void {
  if (!Array.isArray(resources)) {
    throw wrongOption('serve', 'resources', 'an array of { name, close, phase }', resources);
  }
  for (const [index, resource] of resources.entries())
    checkResource(`resources[${index}]`, resource, budgets);
}

function checkResource(path: string, resource: Resource, budgets: DrainBudgets): void {
  requireObject('serve', path, resource);
  refuseUnknownOptions(`serve: "${path}"`, resource, ['name', 'close', 'phase', 'budgetMs']);
  const { name, close, phase = 'pools', budgetMs } = resource;
  requireText('serve', `${path}.name`, name);
  requireFunction('serve', `${path}.close`, close);
  requireOneOf('serve', `${path}.phase`, phase, PHASES);
  if (budgetMs === undefined) return;
  requireMilliseconds('serve', `${path}.budgetMs`, budgetMs);
  const phaseMs = budgets[`${phase}Ms`];
  if (budgetMs > phaseMs) {
    const wanted = `at most the ${phaseMs} ms of "drain.${phase}Ms"`;
    throw wrongOption('serve', `${path}.budgetMs`, wanted, budgetMs);
  }
}
