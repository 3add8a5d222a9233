import type { Session } from 'express-session';

/** What a request's session is to the parts of this package that do not make it. */
export interface CurrentVisit {
  /** The session that the request has, if it has looked at it. */
  readonly current: Session | undefined;
  /** Goes before the mark in the next id. */
  readonly tag: string;
  /** The response of the visit may be held from now on. */
  reopen(): void;
  /** The session's data were read again. */
  renew(body: string, createdAtMs: number): void;
  save(): Promise<void>;
}

const VISIT = Symbol('signalbox.sessions.visit');

interface Marked {
  [VISIT]?: CurrentVisit;
}

export function visitOf(message: object): CurrentVisit | undefined {
  return (message as Marked)[VISIT];
}

export function mark(message: object, visit: CurrentVisit): void {
  (message as Marked)[VISIT] = visit;
}
