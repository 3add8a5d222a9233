import { requireObject } from '@signalbox/options';
import { resolveOptions, type UpstreamOptions } from './options.js';
import { createUpstream, type Upstream, type UpstreamReport } from './upstream.js';

/** The upstreams by their names, and what concerns all of them. */
export type Upstreams<Name extends string> = Readonly<Record<Name, Upstream>> & UpstreamsHandle;

/** What concerns all upstreams. */
export interface UpstreamsHandle {
  /** What an operator wants to see, of every upstream. */
  readonly state: () => UpstreamReport[];
  /** Closes every upstream. Calling it again returns the same promise. */
  readonly close: () => Promise<void>;
}

const TAKEN: readonly string[] = ['state', 'close', 'then', '__proto__'];

/**
 * Opens pools of connections to the services behind this one. Each call is bounded in time, retried
 * within a budget where that does no harm, and spared where a breaker is open or a server ejected.
 *
 * @throws {TypeError} when an option is out of range, at construction
 *
 * @example
 * const { searxng, close } = upstreams({ searxng: { urls: ['http://10.0.0.7:8080', 'http://10.0.0.8:8080'] } });
 * const answer = await searxng.json({ path: '/search', query: { q, format: 'json' }, route: 'search' });
 */
export function upstreams<const Name extends string>(
  options: Readonly<Record<Name, UpstreamOptions>>,
): Upstreams<Name> {
  requireObject('upstreams', 'options', options);
  const names = Object.keys(options) as Name[];
  for (const name of names) {
    if (TAKEN.includes(name)) throw new TypeError(`upstreams: no upstream can be called "${name}"`);
  }
  // All are checked before the first is opened, so that a mistake leaves nothing behind.
  const settings = names.map(
    (name) => [name, resolveOptions(name, options[name], 'upstreams', name)] as const,
  );
  const byName = {} as Record<Name, Upstream>;
  for (const [name, each] of settings) byName[name] = createUpstream(each);
  const opened: Upstream[] = Object.values(byName);

  let closing: Promise<void> | undefined;
  const handle: UpstreamsHandle = {
    state: () => opened.map((upstream) => upstream.state()),
    close() {
      closing ??= Promise.all(opened.map((upstream) => upstream.close())).then(() => undefined);
      return closing;
    },
  };
  return { ...byName, ...handle };
}
