import { signals } from '@signalbox/signals';
import type { Namespace } from 'socket.io';
import type { EventMap } from './socket-event.js';

/** Where an event goes to, on all nodes. */
export interface Emission<Out extends EventMap> {
  /** Leaves out the sockets that are in one of these rooms; a socket's id is a room, too. */
  except(...rooms: readonly string[]): Emission<Out>;
  /** Drops the event for clients that are not ready for it just now. */
  readonly volatile: Emission<Out>;
  emit<Name extends keyof Out & string>(event: Name, payload: Out[Name]): void;
}

/** @param rooms `undefined` for everybody; an empty list is nobody */
export function emissionTo<Out extends EventMap>(
  namespace: Namespace,
  rooms: readonly string[] | undefined,
): Emission<Out> {
  // The broadcast operator of nobody would be that of everybody.
  if (rooms?.length === 0) return NOBODY;
  const everybody = namespace.except([]);
  return emissionOf(rooms === undefined ? everybody : everybody.to([...rooms]));
}

type Operator = ReturnType<Namespace['except']>;

function emissionOf<Out extends EventMap>(operator: Operator): Emission<Out> {
  return {
    except: (...rooms) => emissionOf(operator.except([...rooms])),
    get volatile() {
      return emissionOf<Out>(operator.volatile);
    },
    emit(event, payload) {
      operator.emit(event, payload);
      if (signals.emitted.hasSubscribers) signals.emitted.publish({ event, outcome: 'ok' });
    },
  };
}

const NOBODY: Emission<EventMap> = {
  except: () => NOBODY,
  get volatile() {
    return NOBODY;
  },
  emit: () => undefined,
};
