import { channel as openChannel } from 'node:diagnostics_channel';
import { types } from 'node:util';

/** One kind of event, with a payload of one shape, on `node:diagnostics_channel`. */
export interface Signal<Payload extends object> {
  /** The channel's name, `signalbox:<package>.<event>`. */
  readonly name: string;
  /**
   * Whether anybody listens. A publisher asks first, so that a signal nobody hears costs neither the
   * payload nor the call.
   */
  readonly hasSubscribers: boolean;
  /** Hands the payload to every subscriber, in order, before it returns. Never throws. */
  publish(payload: Payload): void;
  /**
   * Calls `listener` with every payload from now on.
   *
   * What the listener throws, or rejects with, is reported with `process.emitWarning` and goes no further: neither
   * the publisher nor the other subscribers notice.
   *
   * @returns a function that ends the subscription; calling it again does nothing
   */
  subscribe(listener: (payload: Payload) => void): () => void;
}

/**
 * Opens the signal `signalbox:<name>`.
 *
 * @param name `<package>.<event>`, both in kebab-case
 */
export function signal<Payload extends object>(name: `${string}.${string}`): Signal<Payload> {
  const channel = openChannel(`signalbox:${name}`);

  return {
    name: `signalbox:${name}`,
    get hasSubscribers() {
      return channel.hasSubscribers;
    },
    publish(payload) {
      if (channel.hasSubscribers) channel.publish(payload);
    },
    subscribe(listener) {
      const guarded = (message: unknown): void => {
        try {
          const result: unknown = listener(message as Payload);
          // An asynchronous one is a listener, too; what it rejects with would end the process.
          if (types.isPromise(result)) result.catch(warn);
        } catch (error) {
          // diagnostics_channel would raise it as an uncaught exception on the next tick.
          warn(error);
        }
      };
      channel.subscribe(guarded);
      return () => {
        channel.unsubscribe(guarded);
      };
    },
  };
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : new Error(String(error)));
}
