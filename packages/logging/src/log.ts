import { currentRequest } from '@signalbox/context';
import type { Logger } from 'pino';
import { createLogger } from './create-logger.js';
import { rootLogger } from './root-logger.js';

/**
 * The logger of the request, socket event or job that is running, so that every line carries its id;
 * outside of one, the root logger.
 *
 * @example
 * log().info({ results: 12 }, 'searched');
 */
export function log(): Logger {
  const scope = currentRequest();
  if (scope === undefined) return rootLogger() ?? createLogger();
  if (scope.req?.log !== undefined) return scope.req.log;

  const known = scope.log as Logger | undefined;
  if (known !== undefined) return known;

  const made = (rootLogger() ?? createLogger()).child({ reqId: scope.id, traceId: scope.trace.traceId });
  scope.log = made;
  return made;
}
