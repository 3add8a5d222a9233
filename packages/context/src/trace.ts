import { randomHex } from './random.js';

/** Where a request stands in a distributed trace (W3C Trace Context, level 1). */
export interface Trace {
  /** 32 hex digits, the same in every service that the request passes through. */
  readonly traceId: string;
  /** 16 hex digits: this request's own span. */
  readonly spanId: string;
  /** The span of the caller, if it sent one. */
  readonly parentId: string | undefined;
  /** Whether the caller may have recorded the trace. */
  readonly sampled: boolean;
  /** For requests made on behalf of this one: `00-<traceId>-<spanId>-<flags>`. */
  readonly traceparent: string;
  /** What tracing systems told each other on the way, passed on as it came. */
  readonly tracestate: string | undefined;
}

/**
 * `version-traceid-parentid-flags`, in lowercase hex. Version ff and ids of zeros are invalid; what
 * follows is for versions after 00 to define (section 3.2).
 */
const TRACEPARENT =
  /^(?!ff)(?<version>[0-9a-f]{2})-(?!0{32})(?<traceId>[0-9a-f]{32})-(?!0{16})(?<parentId>[0-9a-f]{16})-(?<flags>[0-9a-f]{2})(?<rest>-.*)?$/;

/** A new trace is sampled, so that services further on decide as they would without us. */
const SAMPLED = 0b01;

/** Sampled, and level 2's random trace id. Others are to be sent as zero (section 3.2.2.5). */
const KNOWN_FLAGS = 0b11;

/** Continues the caller's trace; without one, or with an invalid one, begins a new trace. */
export function continueTrace(traceparent?: string, tracestate?: string): Trace {
  const caller = traceparent === undefined ? undefined : TRACEPARENT.exec(traceparent)?.groups;
  const isValid = caller !== undefined && !(caller['version'] === '00' && caller['rest'] !== undefined);

  // Without a valid traceparent its companion means nothing (section 3.3).
  if (!isValid) return new OwnTrace(randomHex(16), undefined, SAMPLED, undefined);
  return new OwnTrace(
    caller['traceId'] ?? '',
    caller['parentId'],
    Number.parseInt(caller['flags'] ?? '', 16) & KNOWN_FLAGS,
    tracestate === '' ? undefined : tracestate,
  );
}

/** A span of its own in the same trace. */
export function childOf(parent: Trace): Trace {
  return continueTrace(parent.traceparent, parent.tracestate);
}

/** The span has no id before somebody asks for it: most requests are only logged, by their trace. */
class OwnTrace implements Trace {
  readonly traceId: string;
  readonly parentId: string | undefined;
  readonly tracestate: string | undefined;
  private readonly flags: number;
  private ownSpanId: string | undefined = undefined;

  constructor(traceId: string, parentId: string | undefined, flags: number, tracestate: string | undefined) {
    this.traceId = traceId;
    this.parentId = parentId;
    this.flags = flags;
    this.tracestate = tracestate;
  }

  get spanId(): string {
    return (this.ownSpanId ??= randomHex(8));
  }

  get sampled(): boolean {
    return (this.flags & SAMPLED) !== 0;
  }

  get traceparent(): string {
    return `00-${this.traceId}-${this.spanId}-0${this.flags}`;
  }

  toJSON(): Trace {
    const { traceId, spanId, parentId, sampled, traceparent, tracestate } = this;
    return { traceId, spanId, parentId, sampled, traceparent, tracestate };
  }
}
