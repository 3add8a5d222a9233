import { refuseUnknownOptions, requireInteger, requireMilliseconds, requireNumber } from '@signalbox/options';
import { promDuration } from '../expression.js';
import { readRequests, type RequestCounts } from '../metrics-registry.js';
import { makeRule, TIMING, type AlertRule, type Timing } from '../rule.js';
import { otherRoutes, PROBE_ROUTES, requireRoutes, type ByRoute } from './routes.js';
import { window } from './window.js';

export interface ErrorRateOptions extends Timing, ByRoute {
  /**
   * Share of responses with a 5xx, from 0 to 1.
   * @default 0.05
   */
  above?: number | undefined;
  /**
   * Over how long it is counted, in milliseconds.
   * @default 300_000
   */
  overMs?: number | undefined;
  /**
   * Requests there must be in that time: one error of three is no rate.
   * @default 50
   */
  minRequests?: number | undefined;
}

/** How often figures are read. */
export const READ_MS = 15_000;

/**
 * Too many responses are errors of ours.
 *
 * @throws {TypeError} when an option is wrong
 */
export function errorRate(options: ErrorRateOptions = {}): AlertRule {
  refuseUnknownOptions('errorRate', options, [...TIMING, 'above', 'overMs', 'minRequests', 'exceptRoutes']);
  const { above = 0.05, overMs = 300_000, minRequests = 50, exceptRoutes = PROBE_ROUTES } = options;
  const { severity = 'critical', forMs, quietMs } = options;
  requireNumber('errorRate', 'above', above, { above: 0, below: 1 });
  requireMilliseconds('errorRate', 'overMs', overMs, 1_000);
  requireInteger('errorRate', 'minRequests', minRequests, 1);
  requireRoutes('errorRate', exceptRoutes);
  const range = promDuration(overMs);
  const excepted = new Set<unknown>(exceptRoutes);
  const routes = otherRoutes(exceptRoutes);

  return makeRule('errorRate', {
    name: 'error-rate',
    severity,
    forMs,
    quietMs,
    needsRegistry: true,
    prometheus: [
      {
        expression: (of) => {
          const failed = `sum(rate(${of('http_requests_total', 'status=~"5.."', ...routes)}[${range}]))`;
          const all = `sum(rate(${of('http_requests_total', ...routes)}[${range}]))`;
          const enough = `sum(increase(${of('http_requests_total', ...routes)}[${range}])) >= ${minRequests}`;
          return `${failed} / ${all} > ${above} and ${enough}`;
        },
        summary: '{{ $value | humanizePercentage }} of responses are errors',
      },
    ],
    watch({ every, holds, gone, now, registry }) {
      const counts = window<RequestCounts>(overMs, now, (before, { all }) => all < before.all);
      every(READ_MS, async () => {
        const latest = registry === undefined ? undefined : await readRequests(registry, excepted);
        const first = latest === undefined ? undefined : counts.add(latest);
        if (latest === undefined || first === undefined) return;
        const all = latest.all - first.all;
        const share = all === 0 ? 0 : (latest.failed - first.failed) / all;
        if (all < minRequests || share <= above) return gone('http');
        const percent = Math.round(share * 1_000) / 10;
        holds('http', {
          title: `Too many responses are errors: ${percent} %`,
          details: [`of ${all} requests`],
        });
      });
      return undefined;
    },
  });
}
