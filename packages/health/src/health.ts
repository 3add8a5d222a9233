import type { RequestHandler } from 'express';
import { startCheck } from './check-runner.js';
import { type HealthOptions, resolveOptions } from './options.js';
import { probesMiddleware } from './probes.js';
import { type DetailedHealthReport, detailedReport, type Known } from './reports.js';
import { listenToSurroundings } from './surroundings.js';

/** Checks that run, and the probes that tell of them. */
export interface Health {
  /**
   * The middleware that answers `/health`, `/health/detailed`, `/livez`, `/readyz` and `/status` under
   * where it is mounted, and passes everything else on. Mount it before anything that can refuse.
   */
  probes(): RequestHandler;
  /** What `/health/detailed` shows now. */
  report(): DetailedHealthReport;
  /**
   * Ends all checks. From then on `/readyz` answers 503; the others show what was last known. Throws an
   * `AggregateError` when some of them fail to free what they hold; all are ended.
   */
  close(): void;
}

/**
 * Runs checks in the background and answers probes from their last results.
 *
 * No probe waits for a check or makes one run: a dependency that hangs slows none of them down, and a
 * thousand probes cost the dependency nothing.
 *
 * @throws {TypeError} when an option is missing, unknown or out of range, at construction
 *
 * @example
 * const probes = health({
 *   service: 'search',
 *   version: '1.4.0',
 *   checks: [check('redis', redisCheck(redis)), check('disk', diskCheck({ path: '/data' }))],
 * });
 * app.use(probes.probes());
 */
export function health(options: HealthOptions): Health {
  const resolved = resolveOptions(options);

  // Read by the probes: one number says whether what they rendered is still true.
  let version = 0;
  let isClosed = false;
  const changed = (): void => void (version += 1);

  const surroundings = listenToSurroundings(changed);
  const runners = resolved.checks.map((check) => startCheck(check, changed));
  const known: Known = { options: resolved, checks: runners.map(({ state }) => state), surroundings };
  const middleware = probesMiddleware(known, { version: () => version, isClosed: () => isClosed });

  return {
    probes: () => middleware,
    report: () => detailedReport(known, new Date()),
    close() {
      if (isClosed) return;
      isClosed = true;
      surroundings.close();
      const errors: unknown[] = [];
      for (const runner of runners) {
        try {
          runner.close();
        } catch (error) {
          errors.push(error);
        }
      }
      if (errors.length > 0) throw new AggregateError(errors, 'Some health checks failed to close');
    },
  };
}
