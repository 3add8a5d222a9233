import { redactor, type Redactor } from './redact.js';

/** What this package knows of a logger that it made. */
export interface LoggerInternals {
  readonly redactor: Redactor;
  /** The next line is made of this object, and neither it nor its message holds a secret: spare them the search. */
  readonly trust: (object: object) => void;
  /** The next line may wait for the others of its turn. */
  readonly gatherNext: () => void;
}

const internals = Symbol('signalbox.logging');

/** Children find it too: pino makes a child with its parent as prototype. */
export function setInternals(logger: object, value: LoggerInternals): void {
  Object.defineProperty(logger, internals, { value });
}

/** Of a logger made elsewhere: the default redaction, and nothing else. */
export function internalsOf(logger: object): LoggerInternals {
  return (logger as { [internals]?: LoggerInternals })[internals] ?? plainInternals();
}

function plainInternals(): LoggerInternals {
  return { redactor: redactor(), trust: doNothing, gatherNext: doNothing };
}

function doNothing(): void {
  // There is no walk to spare, and no writer to tell.
}
