import { safeMessage } from './safe-message.js';

/** What a check may return to say more than that it is healthy. */
export interface CheckReport {
  /** @default 'healthy' */
  status?: 'healthy' | 'degraded' | 'unhealthy' | undefined;
  /** Why it is not healthy; shown in `/health/detailed`, with secrets taken out. */
  reason?: string | undefined;
  /** Figures for `/health/detailed`: what JSON can hold, at most 4 kB. Shown as they are. */
  details?: Readonly<Record<string, unknown>> | undefined;
}

/** How one run of a check went. */
export interface Outcome {
  readonly status: 'healthy' | 'degraded' | 'unhealthy';
  /** Why it is not healthy: what was thrown, or an error made of the reason. */
  readonly error: unknown;
  /** JSON text of the details. */
  readonly details: string | undefined;
}

const MAX_DETAILS_LENGTH = 4_096;

const HEALTHY: Outcome = { status: 'healthy', error: undefined, details: undefined };

/** A run that threw, rejected or ran out of time. */
export function failure(error: unknown): Outcome {
  const known = error ?? new Error('failed without a message');
  return { status: 'unhealthy', error: known, details: undefined };
}

/** Reads what a check returned. Anything that is not a verdict, such as `'PONG'`, is a success. */
export function readResult(result: unknown): Outcome {
  if (result === false) return failure(new Error('the check returned false'));
  if (typeof result === 'string') return isStatus(result) ? verdict(result, undefined, undefined) : HEALTHY;
  if (typeof result !== 'object' || result === null) return HEALTHY;

  const { status, ok, reason, details } = result as Record<string, unknown>;
  if (isStatus(status)) return verdict(status, reason, details);
  if (ok === false) {
    // Such as a fetch Response: `check('api', () => fetch(url))` should see a 503.
    return failure(new Error(typeof status === 'number' ? `answered ${status}` : 'the check was not ok'));
  }
  return details === undefined ? HEALTHY : verdict('healthy', undefined, details);
}

function verdict(status: Outcome['status'], reason: unknown, details: unknown): Outcome {
  const error = status === 'healthy' ? undefined : new Error(typeof reason === 'string' ? reason : status);
  return { status, error, details: detailsText(details) };
}

function isStatus(value: unknown): value is Outcome['status'] {
  return value === 'healthy' || value === 'degraded' || value === 'unhealthy';
}

function detailsText(details: unknown): string | undefined {
  if (typeof details !== 'object' || details === null) return undefined;
  try {
    const text = JSON.stringify(details);
    if (text.length <= MAX_DETAILS_LENGTH) return text;
    return JSON.stringify({ omitted: `${text.length} characters of details` });
  } catch (error) {
    return JSON.stringify({ omitted: safeMessage(error) });
  }
}
