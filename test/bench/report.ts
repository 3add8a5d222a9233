/** One visit to one route of one server. */
export interface Sample {
  server: string;
  route: string;
  perSecond: number;
  cpuMicroseconds: number;
  p50Ms: number;
  p99Ms: number;
  /** What one request asks of Redis, where that was counted. */
  redis?: { waits: number; commands: number };
}

const BASE = 'bare Express';

/** Prints a table a route: medians, and ratios to bare Express in the same run. */
export function printReport(title: string, samples: readonly Sample[]): void {
  const routes = [...new Set(samples.map(({ route }) => route))];
  const servers = [...new Set(samples.map(({ server }) => server))];
  for (const route of routes) {
    const of = (server: string, value: (sample: Sample) => number): number =>
      median(samples.filter((s) => s.route === route && s.server === server).map(value));
    const present = servers.filter((server) => samples.some((s) => s.route === route && s.server === server));
    const rows = present.map((server) => ({
      server,
      'req/s': Math.round(of(server, (s) => s.perSecond)),
      '÷ bare': ratio(
        of(server, (s) => s.perSecond),
        of(BASE, (s) => s.perSecond),
      ),
      'CPU µs': of(server, (s) => s.cpuMicroseconds).toFixed(1),
      'CPU ÷ hand-wired': ratio(
        of(server, (s) => s.cpuMicroseconds),
        of('hand-wired', (s) => s.cpuMicroseconds),
      ),
      'CPU ÷ Fastify': ratio(
        of(server, (s) => s.cpuMicroseconds),
        of('Fastify', (s) => s.cpuMicroseconds),
      ),
      'p50 ms': of(server, (s) => s.p50Ms).toFixed(1),
      'p99 ms': of(server, (s) => s.p99Ms).toFixed(1),
      ...(samples.some((s) => s.route === route && s.redis) && {
        'waits for Redis': of(server, (s) => s.redis?.waits ?? Number.NaN).toFixed(1),
        'Redis commands': of(server, (s) => s.redis?.commands ?? Number.NaN).toFixed(1),
      }),
    }));
    console.log(`\n${title}, ${route}`);
    console.table(Object.fromEntries(rows.map(({ server, ...figures }) => [server, figures])));
  }
}

function ratio(value: number, base: number): string {
  return Number.isFinite(value / base) ? (value / base).toFixed(2) : '–';
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
