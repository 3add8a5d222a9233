/** Names a metric with its labels in PromQL: `of('up', 'job="a"')`. */
export type Metric = (name: string, ...matchers: readonly string[]) => string;

/** PromQL, once it is known which labels all metrics are to have. */
export type Expression = (of: Metric) => string;

/** Seconds or minutes as PromQL writes them. */
export function promDuration(ms: number): string {
  if (ms % 60_000 === 0 && ms > 0) return `${ms / 60_000}m`;
  return ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`;
}
