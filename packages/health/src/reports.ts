import type { CheckState, CheckStatus } from './check-runner.js';
import type { ResolvedOptions } from './options.js';
import type { KnownFeature, KnownModule, Surroundings } from './surroundings.js';

export type { CheckStatus } from './check-runner.js';

/** How the whole stands. */
export type OverallStatus = 'healthy' | 'degraded' | 'unhealthy';

/** The body of `/health`. Times are ISO 8601. */
export interface HealthReport {
  readonly status: OverallStatus;
  readonly service: string;
  readonly version: string;
  readonly timestamp: string;
  readonly deployment: ResolvedOptions['deployment'];
  readonly services: Readonly<Record<string, { readonly status: CheckStatus; readonly critical: boolean }>>;
  /** Present where modules have told of themselves. */
  readonly modules?: Readonly<Record<string, { readonly status: ModuleStatus }>>;
}

/** How a module of `compose` stands; `unknown` while it loads. */
export type ModuleStatus = 'healthy' | 'unhealthy' | 'unknown';

/** The body of `/health/detailed`. */
export interface DetailedHealthReport extends Omit<HealthReport, 'services' | 'modules'> {
  readonly services: Readonly<Record<string, DetailedServiceReport>>;
  readonly modules: Readonly<
    Record<string, { status: ModuleStatus; prefix: string; since: string; last_error: string | null }>
  >;
  readonly features: Readonly<
    Record<string, { degraded: boolean; policy: string; reason: string; since: string }>
  >;
}

/** A check as `/health/detailed` shows it. */
export interface DetailedServiceReport {
  readonly status: CheckStatus;
  readonly critical: boolean;
  /** When the status last changed. */
  readonly since: string;
  readonly checked_at: string | null;
  readonly latency_ms: number | null;
  readonly consecutive_failures: number;
  readonly last_success: string | null;
  readonly last_error: { readonly message: string; readonly at: string } | null;
  readonly details: unknown;
  /** The last runs, the oldest first. */
  readonly history: readonly HistoryEntry[];
}

/** One run of a check. */
export interface HistoryEntry {
  readonly at: string;
  readonly status: OverallStatus;
  readonly latency_ms: number;
}

/** The body of `/status`. */
export interface StatusReport {
  readonly name: string;
  readonly version: string;
  readonly environment: string;
  /** Seconds since the process began. */
  readonly uptime: number;
  readonly timestamp: string;
  readonly status: OverallStatus;
  readonly degraded: readonly {
    readonly feature: string;
    readonly kind: 'check' | 'feature' | 'module';
    readonly since: string;
  }[];
}

/** Everything that reports are made of. */
export interface Known {
  readonly options: ResolvedOptions;
  readonly checks: readonly CheckState[];
  readonly surroundings: Surroundings;
}

/**
 * Unhealthy only while a critical check fails. A critical check without a result yet, anything
 * optional that fails, and every feature that runs by its failure policy make it degraded.
 */
export function overallStatus({ checks, surroundings }: Known): OverallStatus {
  let isDegraded = false;
  for (const { check, status } of checks) {
    if (status === 'unhealthy' && check.critical) return 'unhealthy';
    isDegraded ||= status === 'unknown' ? check.critical : status !== 'healthy';
  }
  for (const feature of surroundings.features.values()) isDegraded ||= feature.degraded;
  for (const module of surroundings.modules.values()) isDegraded ||= module.state === 'failed';
  return isDegraded ? 'degraded' : 'healthy';
}

export function healthReport(known: Known, now: Date): HealthReport {
  const services = known.checks.map(
    ({ check, status }) => [check.name, { status, critical: check.critical }] as const,
  );
  const modules = [...known.surroundings.modules].map(
    ([name, module]) => [name, { status: moduleStatus(module) }] as const,
  );
  return {
    ...head(known, now),
    services: Object.fromEntries(services),
    ...(modules.length > 0 && { modules: Object.fromEntries(modules) }),
  };
}

export function detailedReport(known: Known, now: Date): DetailedHealthReport {
  const { features, modules } = known.surroundings;
  return {
    ...head(known, now),
    services: Object.fromEntries(known.checks.map((state) => [state.check.name, serviceDetails(state)])),
    modules: Object.fromEntries([...modules].map(([name, module]) => [name, moduleDetails(module)])),
    features: Object.fromEntries([...features].map(([name, feature]) => [name, featureDetails(feature)])),
  };
}

export function statusReport(known: Known, now: Date): StatusReport {
  const { service, version, environment } = known.options;
  const degraded: StatusReport['degraded'][number][] = [];
  for (const { check, status, statusSince } of known.checks) {
    if (status === 'healthy' || status === 'unknown') continue;
    degraded.push({ feature: check.name, kind: 'check', since: iso(statusSince) });
  }
  for (const [feature, { degraded: isDegraded, since }] of known.surroundings.features) {
    if (isDegraded) degraded.push({ feature, kind: 'feature', since: iso(since) });
  }
  for (const [module, { state, since }] of known.surroundings.modules) {
    if (state === 'failed') degraded.push({ feature: module, kind: 'module', since: iso(since) });
  }
  return {
    name: service,
    version,
    environment,
    uptime: Math.floor(process.uptime()),
    timestamp: now.toISOString(),
    status: overallStatus(known),
    degraded,
  };
}

function head(known: Known, now: Date): Omit<HealthReport, 'services' | 'modules'> {
  const { service, version, deployment } = known.options;
  return { status: overallStatus(known), service, version, timestamp: now.toISOString(), deployment };
}

function serviceDetails(state: CheckState): DetailedServiceReport {
  const { lastError, details } = state;
  return {
    status: state.status,
    critical: state.check.critical,
    since: iso(state.statusSince),
    checked_at: isoOrNull(state.checkedAt),
    latency_ms: state.latencyMs ?? null,
    consecutive_failures: state.consecutiveFailures,
    last_success: isoOrNull(state.lastSuccessAt),
    last_error: lastError === undefined ? null : { message: lastError.message, at: iso(lastError.at) },
    details: details === undefined ? null : (JSON.parse(details) as unknown),
    history: state.history.map(({ at, status, latencyMs }) => ({
      at: iso(at),
      status,
      latency_ms: latencyMs,
    })),
  };
}

function moduleDetails(module: KnownModule): DetailedHealthReport['modules'][string] {
  const { prefix, since, error } = module;
  return { status: moduleStatus(module), prefix, since: iso(since), last_error: error ?? null };
}

function featureDetails(feature: KnownFeature): DetailedHealthReport['features'][string] {
  return { ...feature, since: iso(feature.since) };
}

function moduleStatus({ state }: KnownModule): ModuleStatus {
  if (state === 'loading') return 'unknown';
  return state === 'ready' ? 'healthy' : 'unhealthy';
}

function iso(epochMs: number): string {
  return new Date(epochMs).toISOString();
}

function isoOrNull(epochMs: number | undefined): string | null {
  return epochMs === undefined ? null : iso(epochMs);
}
