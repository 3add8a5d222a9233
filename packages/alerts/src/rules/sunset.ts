import { refuseUnknownOptions, requireInteger, requireObject, wrongOption } from '@signalbox/options';
import { signals } from '@signalbox/signals';
import { makeRule, TIMING, type AlertRule, type Timing } from '../rule.js';

export interface SunsetOptions extends Timing {
  /** When each version of the API ends, such as `{ v1: '2027-01-31' }`. */
  versions: Readonly<Record<string, string | Date>>;
  /**
   * Days before it from which on calls are worth a word.
   * @default 30
   */
  days?: number | undefined;
}

const DAY_MS = 86_400_000;

/**
 * Somebody still calls a version that ends soon, or has ended.
 *
 * @throws {TypeError} when an option is wrong
 */
export function sunset(options: SunsetOptions): AlertRule {
  requireObject('sunset', 'options', options);
  refuseUnknownOptions('sunset', options, [...TIMING, 'versions', 'days']);
  const { versions, days = 30, severity, forMs, quietMs = DAY_MS } = options;
  requireObject('sunset', 'versions', versions);
  requireInteger('sunset', 'days', days, 0);
  const ends = new Map(Object.entries(versions).map(([name, date]) => [name, requireDate(name, date)]));

  return makeRule('sunset', {
    name: 'sunset',
    severity: severity ?? 'info',
    forMs,
    quietMs,
    prometheus: [...ends].map(([version, endMs]) => ({
      expression: (of) => {
        const calls = of('signalbox_deprecated_calls_total', `version="${promText(version)}"`);
        return `sum(increase(${calls}[1h])) > 0 and on () vector(time()) > ${endMs / 1_000 - days * 86_400}`;
      },
      summary: `The version ${version} of the API is still called`,
      labels: { version },
    })),
    watch: ({ happened, now }) =>
      signals.deprecatedCall.subscribe(({ version }) => {
        const endMs = ends.get(version);
        if (endMs === undefined || now() < endMs - days * DAY_MS) return;
        const isOver = now() >= endMs;
        happened(version, {
          title: `The version "${version}" of the API is still called`,
          severity: severity ?? (isOver ? 'warning' : 'info'),
          details: [`${isOver ? 'it ended' : 'it ends'} on ${new Date(endMs).toISOString().slice(0, 10)}`],
        });
      }),
  });
}

function requireDate(version: string, date: unknown): number {
  const ms = typeof date === 'string' || date instanceof Date ? new Date(date).getTime() : Number.NaN;
  if (Number.isFinite(ms)) return ms;
  throw wrongOption('sunset', `versions.${version}`, 'a date, such as "2027-01-31"', date);
}

function promText(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
