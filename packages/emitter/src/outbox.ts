/** What is published, ready to go. */
export interface Message {
  channel: string;
  body: Buffer | string;
  /** The channel that every server of the namespace listens on, and nobody else. */
  listenedOn: string;
  /** The event's name, for the signal; `undefined` for what is no event, such as a join. */
  event: string | undefined;
}

/** What became of an event by the time the promise settled. */
export type EmitReceipt =
  | {
      /** It was handed to every server that listens. */
      readonly outcome: 'ok';
      /**
       * How many servers that were; on a Redis Cluster those connected to one node. `undefined` where an earlier try
       * turned out to have done it.
       */
      readonly servers: number | undefined;
    }
  | {
      /** It waits for Redis, with `queue` only. */
      readonly outcome: 'queued';
      readonly servers: undefined;
    };

/** What waits, and what became of the rest. */
export interface OutboxReport {
  /** Events that wait, with those under way. */
  queued: number;
  queuedBytes: number;
  sent: number;
  /** Events that were given up: refused, too old, or left at the end. */
  dropped: number;
}

/** The way out: in order, and with a deadline. */
export interface Outbox {
  readonly send: (message: Message) => Promise<EmitReceipt>;
  report(): OutboxReport;
  /** Resolves when nothing waits any more: `true`; or when the time is up: `false`. */
  flush(timeoutMs: number): Promise<boolean>;
  /** Takes nothing more, gives what is there until the deadline to leave, and gives up the rest. */
  close(): Promise<void>;
}

export const QUEUED: EmitReceipt = Object.freeze({ outcome: 'queued', servers: undefined });

/** The receipt for an answer of PUBLISH. A client may be set to give numbers as text. */
export function published(reply: unknown): EmitReceipt {
  const servers = Number(reply);
  return { outcome: 'ok', servers: servers < 0 ? undefined : servers };
}
