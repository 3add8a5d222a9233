import type { Logger } from '@signalbox/logging';
import { signals } from '@signalbox/signals';

/**
 * Writes down what an operator wants to find in the log when a search was slow yesterday: what ran degraded and
 * why, which breaker opened, which instance was left out.
 *
 * @returns a function that ends it
 */
export function logSignals(logger: Logger): () => void {
  const ends = [
    signals.featureState.subscribe(({ feature, degraded, policy, reason }) => {
      if (degraded) logger.warn({ feature, policy, reason }, `${feature} runs degraded`);
      else logger.info({ feature }, `${feature} runs as it should again`);
    }),
    signals.breakerState.subscribe(({ upstream, route, server, previous, state }) => {
      const level = state === 'closed' ? 'info' : 'warn';
      logger[level](
        { upstream, route, server },
        `breaker of ${upstream} for ${route}: ${previous} → ${state}`,
      );
    }),
    signals.upstreamServerState.subscribe(({ upstream, server, state }) => {
      if (state === 'in') logger.info({ upstream, server }, `a server of ${upstream} is back`);
      else logger.warn({ upstream, server }, `a server of ${upstream} is left out`);
    }),
    signals.tokenEvent.subscribe(({ event, subject }) => {
      if (event === 'reused')
        logger.warn({ subject }, 'a refresh token was used twice; its sign-in is ended');
    }),
    signals.healthChanged.subscribe(({ check, status, previous, error }) => {
      if (previous === 'unknown' && status === 'healthy') return;
      const level = status === 'healthy' ? 'info' : 'warn';
      logger[level]({ check, health: status, err: error }, `check ${check}: ${previous} → ${status}`);
    }),
  ];
  return () => {
    for (const end of ends) end();
  };
}
