import { failureOf } from './failure.js';
import { timestamp } from './timestamp.js';
import { errorObjectOf, type ErrorObject } from './render.js';

/**
 * The `error` object of the envelope for places without an HTTP response, such as a socket's
 * acknowledgement. The same rules hold: a 5xx does not show its message unless it says so.
 */
export function toErrorObject(
  error: unknown,
  { requestId }: { requestId?: string | undefined } = {},
): ErrorObject {
  return errorObjectOf(failureOf(error), { timestamp: timestamp(), requestId });
}
