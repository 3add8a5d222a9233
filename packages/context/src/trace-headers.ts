import { storage } from './scope.js';

/**
 * The header fields that carry the running request's trace to another service (W3C Trace Context):
 * `traceparent`, and `tracestate` if there is one. Empty outside of a request.
 *
 * @example
 * await fetch(url, { headers: { ...traceHeaders() } });
 */
export function traceHeaders(): Record<string, string> {
  const trace = storage.getStore()?.trace;
  if (trace === undefined) return {};
  const { traceparent, tracestate } = trace;
  return tracestate === undefined ? { traceparent } : { traceparent, tracestate };
}
