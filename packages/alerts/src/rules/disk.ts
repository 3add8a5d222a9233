import { statfs } from 'node:fs/promises';
import { refuseUnknownOptions, requireMilliseconds, requireNumber, requireText } from '@signalbox/options';
import { makeRule, TIMING, type AlertRule, type Timing } from '../rule.js';

export interface DiskOptions extends Timing {
  /**
   * Any path on the file system to look at.
   * @default '/'
   */
  path?: string | undefined;
  /**
   * Less free space than this, in percent, is a warning.
   * @default 15
   */
  warnBelowPercent?: number | undefined;
  /**
   * Less than this is critical.
   * @default 5
   */
  criticalBelowPercent?: number | undefined;
  /**
   * How often it is looked at, in milliseconds.
   * @default 60_000
   */
  everyMs?: number | undefined;
}

/**
 * A disk is nearly full.
 *
 * @throws {TypeError} when an option is wrong
 */
export function disk(options: DiskOptions = {}): AlertRule {
  refuseUnknownOptions('disk', options, [
    ...TIMING,
    'path',
    'warnBelowPercent',
    'criticalBelowPercent',
    'everyMs',
  ]);
  const { path = '/', warnBelowPercent = 15, criticalBelowPercent = 5, everyMs = 60_000 } = options;
  const { severity, forMs, quietMs } = options;
  requireText('disk', 'path', path);
  requireNumber('disk', 'warnBelowPercent', warnBelowPercent, { above: 0, max: 100 });
  requireNumber('disk', 'criticalBelowPercent', criticalBelowPercent, { min: 0, max: warnBelowPercent });
  requireMilliseconds('disk', 'everyMs', everyMs);

  return makeRule('disk', {
    name: 'disk',
    severity,
    forMs,
    quietMs,
    isShared: true,
    prometheus: (['warning', 'critical'] as const).map((each) => ({
      severity: each,
      expression: (of) => {
        const share = (each === 'critical' ? criticalBelowPercent : warnBelowPercent) / 100;
        return `${of('signalbox_disk_available_bytes')} / ${of('signalbox_disk_size_bytes')} < ${share}`;
      },
      summary: 'Of the disk, {{ $value | humanizePercentage }} are free',
    })),
    watch({ every, holds, gone }) {
      every(everyMs, async () => {
        const { blocks, bavail } = await statfs(path);
        // A file system of no size, such as procfs, is neither full nor empty.
        const percent = blocks === 0 ? 100 : Math.round((bavail / blocks) * 1_000) / 10;
        if (percent >= warnBelowPercent) return gone(path);
        holds(path, {
          title: `The disk is nearly full (${path})`,
          severity: severity ?? (percent < criticalBelowPercent ? 'critical' : 'warning'),
          details: [`${percent} % are free`],
        });
      });
      return undefined;
    },
  });
}
