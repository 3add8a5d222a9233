import { signals } from '@signalbox/signals';
import type { FeatureState, ModuleState, ServerState } from '@signalbox/signals';
import { safeMessage } from './safe-message.js';

/** What a feature last said of itself. `since` is in epoch milliseconds. */
export interface KnownFeature {
  readonly degraded: boolean;
  readonly policy: FeatureState['policy'];
  readonly reason: string;
  readonly since: number;
}

/** What is known of a module of the app. `since` is in epoch milliseconds. */
export interface KnownModule {
  readonly state: ModuleState['state'];
  readonly prefix: string;
  readonly error: string | undefined;
  readonly since: number;
}

/** What other packages have said through signals. */
export interface Surroundings {
  readonly features: ReadonlyMap<string, KnownFeature>;
  readonly modules: ReadonlyMap<string, KnownModule>;
  serverState(server: object | undefined): ServerState['state'] | undefined;
  close(): void;
}

/** Names come from code, so that there are few; the bound is for the code that makes them up. */
const MAX_NAMES = 200;

/**
 * Listens for the states of features, modules and servers.
 *
 * @param onChange called after a feature or module has changed
 */
export function listenToSurroundings(onChange: () => void): Surroundings {
  const features = new Map<string, KnownFeature>();
  const modules = new Map<string, KnownModule>();
  const servers = new WeakMap<object, ServerState['state']>();

  const unsubscribe = [
    signals.serverState.subscribe(({ server, state }) => void servers.set(server, state)),
    signals.featureState.subscribe(({ feature, degraded, policy, reason }) => {
      const before = features.get(feature);
      if (before === undefined && features.size >= MAX_NAMES) return;
      const since = before?.degraded === degraded ? before.since : Date.now();
      features.set(feature, { degraded, policy, reason: safeMessage(reason), since });
      onChange();
    }),
    signals.moduleState.subscribe(({ module, prefix, state, error }) => {
      const before = modules.get(module);
      if (before === undefined && modules.size >= MAX_NAMES) return;
      const since = before?.state === state ? before.since : Date.now();
      modules.set(module, {
        state,
        prefix,
        error: state === 'failed' ? safeMessage(error) : undefined,
        since,
      });
      onChange();
    }),
  ];

  return {
    features,
    modules,
    serverState: (server) => (server === undefined ? undefined : servers.get(server)),
    close() {
      for (const end of unsubscribe) end();
    },
  };
}
