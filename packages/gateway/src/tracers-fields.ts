import { channel } from 'node:diagnostics_channel';
import type { Dispatcher } from 'undici';

/** Tracers, such as OpenTelemetry's, hear here of each request that undici is given, and add `traceparent` and the like. */
const created = channel('undici:request:create');

export function hasTracers(): boolean {
  return created.hasSubscribers;
}

/** undici keeps these fields apart from the others. */
const KEPT_APART: ReadonlySet<string> = new Set(['host', 'content-length']);

/**
 * Has what tracers add to the next request stand in the place of what it has by the same names, as where those came from a
 * client: of two `traceparent` whoever is asked reads neither, and the trace ends here.
 *
 * @returns what ends that, to be called once the request is dispatched
 */
export function preferTracersFields(given: Dispatcher.DispatchOptions['headers']): () => void {
  const owned = numberOf(given);
  let isOver = false;
  function settle(message: unknown): void {
    const { request } = message as { request: { headers: unknown } };
    if (isOver || !Array.isArray(request.headers)) return;
    isOver = true;
    const ours = request.headers.slice(0, 2 * owned) as string[];
    const added = request.headers.slice(2 * owned) as string[];
    const names = new Set(added.map((text, index) => (index % 2 === 0 ? text.toLowerCase() : '')));
    const kept = ours.filter((_text, index) => !names.has(ours[index - (index % 2)]?.toLowerCase() ?? ''));
    request.headers = [...kept, ...added];
  }
  created.subscribe(settle);
  return () => created.unsubscribe(settle);
}

function numberOf(given: Dispatcher.DispatchOptions['headers']): number {
  const names = Array.isArray(given)
    ? given.filter((_text, index) => index % 2 === 0)
    : Object.keys(given ?? {});
  return names.filter((name) => !KEPT_APART.has(name.toLowerCase())).length;
}
