import { refuseUnknownOptions } from '@signalbox/options';
import { signals } from '@signalbox/signals';
import { nameOfError } from '../clean.js';
import { makeRule, TIMING, type AlertRule, type Timing } from '../rule.js';

/**
 * A module of the app does not load.
 *
 * @throws {TypeError} when an option is wrong
 */
export function moduleFailed(options: Timing = {}): AlertRule {
  refuseUnknownOptions('moduleFailed', options, TIMING);
  const { severity, forMs = 30_000, quietMs } = options;

  return makeRule('moduleFailed', {
    name: 'module-failed',
    severity,
    forMs,
    quietMs,
    prometheus: [
      {
        expression: (of) => `min by (module) (${of('signalbox_module_ready')}) == 0`,
        summary: 'The module {{ $labels.module }} does not load',
      },
    ],
    watch: ({ holds, gone }) =>
      signals.moduleState.subscribe(({ module, state, error }) => {
        if (state === 'ready') return gone(module);
        // Another try, `loading`, does not end it.
        if (state !== 'failed') return;
        const reason = nameOfError(error);
        holds(module, {
          title: `The module "${module}" does not load`,
          details: reason === undefined ? [] : [reason],
        });
      }),
  });
}
