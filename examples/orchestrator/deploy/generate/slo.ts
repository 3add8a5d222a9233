import { PROBE_ROUTES } from '@signalbox/alerts';
import type { PrometheusRule } from './prometheus.js';
import { RUNBOOKS, SCRAPE, SLO } from './figures.js';

/** A matcher of what visitors ask. */
export const VISITORS = `route!~"${PROBE_ROUTES.join('|')}"`;

const WINDOWS = ['5m', '30m', '1h', '2h', '6h', '1d', '3d', '30d'] as const;
type Window = (typeof WINDOWS)[number];
type Kind = 'errors' | 'slow';

const BUDGETS: Readonly<Record<Kind, number>> = {
  errors: 1 - SLO.availability,
  slow: 1 - SLO.fast,
};

const PROMISES: Readonly<Record<Kind, string>> = {
  errors: `${SLO.availability * 100} % of requests are answered without an error`,
  slow: `${SLO.fast * 100} % of requests are answered within ${SLO.fastSeconds} s`,
};

/** The series that holds the share of requests that broke the promise, over a window. */
export const recorded = (kind: Kind, window: Window): string => `signalbox:${kind}:ratio_rate${window}`;

const of = (name: string, matcher = ''): string => `${name}{job="${SCRAPE.job}",${VISITORS}${matcher}}`;

function shareOf(kind: Kind, window: Window): string {
  if (kind === 'errors') {
    const failed = `sum(rate(${of('http_requests_total', ',status=~"5.."')}[${window}])) or vector(0)`;
    return `(${failed}) / (sum(rate(${of('http_requests_total')}[${window}])) > 0)`;
  }
  const fast = `sum(rate(${of('http_request_duration_seconds_bucket', `,le="${SLO.fastSeconds}"`)}[${window}]))`;
  return `1 - ${fast} / (sum(rate(${of('http_request_duration_seconds_count')}[${window}])) > 0)`;
}

/** How fast the budget of the month is used up, and who is woken by it (Site Reliability Workbook, chapter 5). */
const BURNS = [
  { factor: 14.4, long: '1h', short: '5m', severity: 'critical', used: '2 % in an hour' },
  { factor: 6, long: '6h', short: '30m', severity: 'critical', used: '5 % in six hours' },
  { factor: 3, long: '1d', short: '2h', severity: 'warning', used: '10 % in a day' },
  { factor: 1, long: '3d', short: '6h', severity: 'warning', used: '10 % in three days' },
] as const;

function recordingsOver(windows: readonly Window[]): PrometheusRule[] {
  return (['errors', 'slow'] as const).flatMap((kind) =>
    windows.map((window) => ({ record: recorded(kind, window), expr: shareOf(kind, window) })),
  );
}

function alertsOf(kind: Kind): PrometheusRule[] {
  return BURNS.map(({ factor, long, short, severity, used }) => {
    const bound = Number((factor * BUDGETS[kind]).toFixed(6));
    return {
      alert: kind === 'errors' ? 'ErrorBudgetBurn' : 'LatencyBudgetBurn',
      // The long window says that it matters, the short one that it still goes on.
      expr: `${recorded(kind, long)} > ${bound} and ${recorded(kind, short)} > ${bound}`,
      labels: { severity, rule: kind === 'errors' ? 'error-budget' : 'latency-budget', window: long },
      annotations: {
        summary: `The budget of ${SLO.days} days is used up at ${used}`,
        description: `${PROMISES[kind]}; in the last ${long} {{ $value | humanizePercentage }} were not.`,
        runbook_url: `${RUNBOOKS}/error-budget`,
      },
    };
  });
}

export const SLO_RULES = {
  groups: [
    { name: 'signalbox-slo', rules: recordingsOver(WINDOWS.filter((window) => window !== '30d')) },
    { name: 'signalbox-slo-month', interval: '5m', rules: recordingsOver(['30d']) },
    { name: 'signalbox-slo-alerts', rules: [...alertsOf('errors'), ...alertsOf('slow')] },
  ],
};
