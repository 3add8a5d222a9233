import { certificateCheck } from '@signalbox/health';
import { refuseUnknownOptions, requireInteger, requireMilliseconds, requireText } from '@signalbox/options';
import { makeRule, TIMING, type AlertRule, type Timing } from '../rule.js';

export interface CertificateOptions extends Timing {
  /** A server to connect to by TLS. Either this or `file`. */
  host?: string | undefined;
  /** @default 443 */
  port?: number | undefined;
  /** @default `host` */
  servername?: string | undefined;
  /** A PEM file. */
  file?: string | undefined;
  /**
   * Days before its end from which on it is a warning.
   * @default 14
   */
  warnDays?: number | undefined;
  /**
   * Days before its end from which on it is critical.
   * @default 3
   */
  criticalDays?: number | undefined;
  /**
   * How often it is looked at, in milliseconds.
   * @default 3_600_000
   */
  everyMs?: number | undefined;
  /**
   * The gauge of its end, in seconds since 1970, for Prometheus.
   * @default 'probe_ssl_earliest_cert_expiry', as the blackbox exporter has it
   */
  metric?: string | undefined;
}

const OPTIONS = [
  'host',
  'port',
  'servername',
  'file',
  'warnDays',
  'criticalDays',
  'everyMs',
  'metric',
] as const;

/**
 * A certificate ends soon, or cannot be looked at.
 *
 * @throws {TypeError} when an option is wrong
 */
export function certificate(options: CertificateOptions): AlertRule {
  refuseUnknownOptions('certificate', options, [...TIMING, ...OPTIONS]);
  const { warnDays = 14, criticalDays = 3, everyMs = 3_600_000, severity, forMs, quietMs } = options;
  const { metric = 'probe_ssl_earliest_cert_expiry', host, port, servername, file } = options;
  requireInteger('certificate', 'criticalDays', criticalDays, 0);
  requireInteger('certificate', 'warnDays', warnDays, criticalDays);
  requireMilliseconds('certificate', 'everyMs', everyMs);
  requireText('certificate', 'metric', metric);
  const look = certificateCheck({ host, port, servername, file, warnDays });
  const subject = 'tls';

  return makeRule('certificate', {
    name: 'certificate',
    severity,
    forMs,
    quietMs,
    prometheus: (['warning', 'critical'] as const).map((each) => ({
      severity: each,
      expression: (of) =>
        `${of(metric)} - time() < ${(each === 'critical' ? criticalDays : warnDays) * 86_400}`,
      summary: 'A certificate ends in {{ $value | humanizeDuration }}',
    })),
    watch({ every, holds, gone }) {
      every(everyMs, async (signal) => {
        const found = await looked(() => look(signal));
        if (found === undefined)
          return holds(subject, { title: 'A certificate cannot be looked at', severity });
        const { status, reason, daysLeft } = found;
        if (status === 'healthy') return gone(subject);
        const isCritical = status === 'unhealthy' || daysLeft <= criticalDays;
        const details = [`the certificate ${reason}`];
        holds(subject, {
          title: 'A certificate ends soon, or has ended',
          severity: severity ?? (isCritical ? 'critical' : 'warning'),
          details,
        });
      });
      return undefined;
    },
  });
}

interface Found {
  readonly status: string;
  readonly reason: string;
  readonly daysLeft: number;
}

/** What the check of `@signalbox/health` says; `undefined` where it could not look. */
async function looked(look: () => unknown): Promise<Found | undefined> {
  try {
    const report = Object(await look()) as Record<string, unknown>;
    const { status, reason, details } = report;
    return {
      status: typeof status === 'string' ? status : 'healthy',
      reason: typeof reason === 'string' ? reason : '',
      daysLeft: Number(Reflect.get(Object(details), 'days_left')),
    };
  } catch {
    return undefined;
  }
}
