import { refuseUnknownOptions } from '@signalbox/options';
import { signals } from '@signalbox/signals';
import { makeRule, TIMING, type AlertRule, type Timing } from '../rule.js';

/**
 * A breaker of an upstream is open for half a minute. One that tries its luck, half open, is not closed yet.
 *
 * @throws {TypeError} when an option is wrong
 */
export function breakerOpen(options: Timing = {}): AlertRule {
  refuseUnknownOptions('breakerOpen', options, TIMING);
  const { severity, forMs = 30_000, quietMs } = options;

  return makeRule('breakerOpen', {
    name: 'breaker-open',
    severity,
    forMs,
    quietMs,
    prometheus: [
      {
        expression: (of) => {
          const open = of('signalbox_breaker_state', 'state=~"open|half_open"');
          return `sum by (upstream, route) (${open}) > 0`;
        },
        summary: 'The breaker of {{ $labels.upstream }} ({{ $labels.route }}) is open',
      },
    ],
    watch({ holds, gone }) {
      // An upstream has several servers, whose addresses no message shows.
      const open = new Map<string, Set<string>>();
      return signals.breakerState.subscribe(({ upstream, server = '', route, state }) => {
        const subject = `${upstream} ${route}`;
        const servers = open.get(subject) ?? new Set();
        open.set(subject, servers);
        if (state === 'closed') servers.delete(server);
        else servers.add(server);
        if (servers.size === 0) {
          open.delete(subject);
          return gone(subject);
        }
        const details = server === '' ? [] : [`${servers.size} of its servers`];
        holds(subject, { title: `The breaker of "${upstream}" (${route}) is open`, details });
      });
    },
  });
}
