import type { NoticeKind } from './notice.js';
import type { Severity } from './severity.js';

/** One incident, as a message tells of it. */
export interface AlertNotice {
  /** The same from the first message of an incident to the last. */
  readonly id: string;
  readonly kind: NoticeKind | 'test';
  readonly rule: string;
  readonly subject: string;
  readonly severity: Severity;
  readonly title: string;
  readonly details: readonly string[];
  readonly openedAt: Date;
  /** When it was over. */
  readonly overAt?: Date | undefined;
  /** How often it went and came back meanwhile. */
  readonly returns: number;
  /** What follows from it and is not told apart. */
  readonly also: readonly string[];
  readonly runbook?: string | undefined;
}

/** What goes to a channel at once. */
export interface AlertMessage {
  readonly service: string;
  readonly environment: string;
  readonly notices: readonly AlertNotice[];
  /** How many notices were dropped before these, since more waited than may. */
  readonly dropped: number;
  /** Since when the channel could not be reached, where it was so until now. */
  readonly unreachableSince?: Date | undefined;
}

/** Where alerts go. To make one of your own, write `send`. */
export interface AlertChannel {
  /** Unlike those of the others. */
  readonly name: string;
  /** The least that it is told of. */
  readonly severity: Severity;
  /** Whether one message may hold several notices. Without it, each incident is a call of its own. */
  readonly isGrouped: boolean;
  /** Whether it wants to be reminded of what goes on. */
  readonly wantsRepeats: boolean;
  /**
   * Delivers, or throws. A {@link DeliveryError} says whether another try may help; any other error is tried again.
   *
   * @param signal aborted when the time is up
   */
  send(message: AlertMessage, signal: AbortSignal): Promise<void>;
  close?(): void;
}

/** A receiver did not take a message. Its words name neither the receiver's address nor what was sent. */
export class DeliveryError extends Error {
  override readonly name = 'DeliveryError';
  readonly code = 'alert_not_delivered';
  /** What becomes of the message: tried again, tried again rarely (somebody must mend it first), or dropped. */
  readonly remedy: 'retry' | 'mend' | 'drop';
  /** When the receiver asked to be left alone. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    { remedy = 'retry', retryAfterMs }: Partial<Pick<DeliveryError, 'remedy' | 'retryAfterMs'>> = {},
  ) {
    super(message);
    this.remedy = remedy;
    this.retryAfterMs = retryAfterMs;
  }
}
