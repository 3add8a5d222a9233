import { within } from '@signalbox/context';
import { watchOutage } from '@signalbox/redis';
import type { Request } from 'express';
import { signals } from '@signalbox/signals';

/** Decides about an origin that no entry of the list names. */
export type OriginFunction = (origin: string, req: Request) => boolean | Promise<boolean>;

/**
 * Asks functions about an origin, one after the other. One that throws, rejects or takes too long has not allowed
 * it: the caller then gets no CORS headers, rather than a 500 or a door that is open while a database is not.
 */
export interface OriginFunctions {
  ask(origin: string, req: Request): boolean | Promise<boolean>;
}

const NOBODY: OriginFunctions = { ask: () => false };

// What a function is asked about looks like an origin (RFC 6454 section 7.1), of whatever scheme.
const SHAPE = /^[a-z][a-z\d+.-]{0,30}:\/\/[\w.:[\]-]{1,260}$/;

export function originFunctions(functions: readonly OriginFunction[], timeoutMs: number): OriginFunctions {
  if (functions.length === 0) return NOBODY;
  const outage = watchOutage({
    feature: 'cors',
    begins: 'an origin function failed',
    ends: 'it works again',
  });

  const settle = (allowed: boolean): boolean => {
    outage.works();
    return allowed;
  };
  const fail = (error: unknown): false => {
    if (signals.securityFinding.hasSubscribers) {
      signals.securityFinding.publish({ kind: 'origin', rule: 'origin_function_failed', enforced: true });
    }
    // Not its message, which may quote what it was asked about.
    outage.failed(error instanceof Error ? error.name : typeof error, 'closed');
    return false;
  };
  const askFrom = (index: number, origin: string, req: Request): boolean | Promise<boolean> => {
    for (let at = index; at < functions.length; at += 1) {
      const allowed = functions[at]?.(origin, req);
      if (allowed === true) return true;
      if (isThenable(allowed)) {
        return within<unknown>(timeoutMs, allowed, late).then(
          (late) => late === true || askFrom(at + 1, origin, req),
        );
      }
    }
    return false;
  };

  return {
    ask(origin, req) {
      if (!SHAPE.test(origin)) return false;
      try {
        const allowed = askFrom(0, origin, req);
        return typeof allowed === 'boolean' ? settle(allowed) : allowed.then(settle, fail);
      } catch (error) {
        return fail(error);
      }
    },
  };
}

function late(): never {
  throw new Error('no answer in time');
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as PromiseLike<unknown>).then === 'function'
  );
}
