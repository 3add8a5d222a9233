/** Events of an emitter that was given no type: any name, with whatever follows it. */
export type AnyEvents = Record<string, unknown>;

/** The names of events. */
export type EventName<Events extends object> = keyof Events & string;

/**
 * What follows the name of an event: its payload; or the parameters of the listener, where events are declared as
 * socket.io's `Server<…>` takes them, `{ greeting: (name: string, age: number) => void }`.
 */
export type EventArguments<
  Events extends object,
  Event extends EventName<Events>,
> = unknown extends Events[Event]
  ? readonly unknown[]
  : Events[Event] extends (...args: infer Arguments extends readonly unknown[]) => unknown
    ? Arguments
    : undefined extends Events[Event]
      ? [payload?: Events[Event]]
      : [payload: Events[Event]];

/** How far a search, or other work that was asked for, has come. */
export type SearchStatus = 'started' | 'progress' | 'complete' | 'failed';

/** Payload of `search_status`. */
export interface SearchStatusEvent {
  query: string;
  status: SearchStatus;
  /** What has been found so far. */
  resultsCount?: number | undefined;
  /** How much is done, from 0 to 1. */
  progress?: number | undefined;
  /** What is being done, in a word or two. */
  stage?: string | undefined;
  /** When it was emitted, as in `2026-01-31T12:00:00.000Z`. */
  timestamp: string;
}

/** How much a system alert matters. */
export type AlertLevel = 'info' | 'warning' | 'error' | 'critical';

/** Payload of `system_alert`. */
export interface SystemAlertEvent {
  level: AlertLevel;
  message: string;
  /** When it was emitted, as in `2026-01-31T12:00:00.000Z`. */
  timestamp: string;
}

/**
 * The events that an emitter has methods for, to extend with those of an app.
 *
 * @example
 * interface Events extends StandardEvents {
 *   invoice_paid: { id: string; cents: number };
 * }
 */
export interface StandardEvents {
  search_status: SearchStatusEvent;
  system_alert: SystemAlertEvent;
}
