import type { ResourcePhase } from './drain-options.js';

/** How a drain went. */
export interface DrainReport {
  /** What began it: `SIGTERM`, `SIGINT`, `crash`, `close`, or the caller's own word. */
  readonly reason: string;
  /** Whether every request was answered and every resource closed. */
  readonly clean: boolean;
  readonly durationMs: number;
  /** Time spent in each part, in milliseconds, in order. */
  readonly phases: readonly DrainedPhase[];
  /** Requests that were under way when the drain stopped taking new connections. */
  readonly requestsInFlight: number;
  /** Requests that were still unanswered when their budget was spent; their connections were destroyed. */
  readonly abandonedRequests: number;
  /** Event streams that were cut, for they never end by themselves. Not a failure. */
  readonly endedStreams: number;
  /** Other connections that nobody had closed when the budget was spent, such as upgraded ones. Not a failure. */
  readonly endedSockets: number;
  /** What became of each resource, in the order of closing. */
  readonly resources: readonly ClosedResource[];
}

/** One part of a drain. */
export interface DrainedPhase {
  readonly phase: 'readiness' | 'http' | ResourcePhase;
  readonly durationMs: number;
  readonly budgetMs: number;
}

/** What became of a resource. */
export interface ClosedResource {
  readonly name: string;
  readonly phase: ResourcePhase;
  readonly outcome: 'closed' | 'failed' | 'timed_out';
  readonly durationMs: number;
  /** What `close` threw, when it failed. */
  readonly error?: unknown;
}

/** Names of the resources that failed or ran out of time. */
export function failedResources({ resources }: Pick<DrainReport, 'resources'>): string[] {
  return resources.filter(({ outcome }) => outcome !== 'closed').map(({ name }) => name);
}
