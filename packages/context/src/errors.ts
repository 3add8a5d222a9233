/** Data of a {@link DeadlineExceededError}, shown to the caller. */
export interface DeadlineDetails {
  /** What the request was doing, by `facts(req).phase`. */
  readonly phase: string | undefined;
  readonly deadlineMs: number;
}

/** 504: the request was not answered in time (RFC 9110 section 15.6.5). */
export class DeadlineExceededError extends Error {
  readonly status = 504;
  readonly statusCode = 504;
  readonly code = 'deadline_exceeded';
  /** The message says nothing that the caller may not know. */
  readonly expose = true;
  readonly details: DeadlineDetails;

  constructor(deadlineMs: number, phase?: string) {
    super(`The request took longer than ${deadlineMs} ms${phase === undefined ? '' : ` (${phase})`}`);
    this.name = 'DeadlineExceededError';
    this.details = { phase, deadlineMs };
  }
}

/** 499: the client went away before it was answered. Nobody is left to send this to. */
export class RequestAbortedError extends Error {
  readonly status = 499;
  readonly statusCode = 499;
  readonly code = 'client_closed_request';
  readonly expose = false;

  constructor() {
    super('The client closed the connection before it was answered');
    this.name = 'RequestAbortedError';
  }
}
