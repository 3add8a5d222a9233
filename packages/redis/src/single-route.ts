import type { SingleClient } from './client.js';
import { unavailable } from './failure.js';
import type { Guard } from './guard.js';
import type { LinkSettings } from './options.js';
import type { Route } from './sender.js';

/** Not more often: a Redis that stays read-only would be reconnected to with every command. */
const READONLY_PAUSE_MS = 1_000;

/** The way to one server, be it found by Sentinel or not. */
export function createSingleRoute({ name }: LinkSettings, client: SingleClient, guard: Guard): Route {
  let reconnectedAt = -Infinity;

  return {
    admit(command, call) {
      if (client.status !== 'ready' || client.stream?.writable !== true) {
        return unavailable(name, client.status === 'end' ? 'closed' : 'down');
      }
      if (call.probe === undefined) {
        if (guard.isOpen) return unavailable(name, 'breaker');
        call.guard = guard;
      }
      call.node = client;
      // ioredis keeps what was under way when a connection breaks and sends it again, much later, unless
      // it takes it for the rest of a broken pipeline, which it rejects at once.
      command.pipelineIndex = -1;
      return undefined;
    },

    write(command) {
      client.sendCommand(command as never);
    },

    failed(error) {
      if (error.reason !== 'readonly' || typeof client.options.retryStrategy !== 'function') return;
      const now = performance.now();
      if (now - reconnectedAt < READONLY_PAUSE_MS) return;
      reconnectedAt = now;
      // After a failover the name, or Sentinel, leads to the new primary.
      client.disconnect(true);
    },
  };
}
