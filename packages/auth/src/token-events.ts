import { signals, type TokenEvent } from '@signalbox/signals';
import { TokenError, type TokenErrorCode } from './errors.js';

/** Made once: tokens are verified at the rate of requests. */
const VERIFIED: TokenEvent = Object.freeze({ event: 'verified', kind: 'access', code: undefined });

export function publishVerified(): void {
  if (signals.tokenEvent.hasSubscribers) signals.tokenEvent.publish(VERIFIED);
}

export function publishToken(
  event: TokenEvent['event'],
  kind: TokenEvent['kind'],
  code?: TokenErrorCode,
): void {
  if (signals.tokenEvent.hasSubscribers) signals.tokenEvent.publish({ event, kind, code });
}

/** A refresh token was used twice, so one of the two who have it has stolen it. */
export function publishReused(subject: string, family: string): void {
  if (!signals.tokenEvent.hasSubscribers) return;
  signals.tokenEvent.publish({ event: 'reused', kind: 'refresh', code: 'token_reused', subject, family });
}

/** Says that a token was refused; what is no refusal goes by. Returns what it was given, to be thrown. */
export function refusal(error: unknown, kind: TokenEvent['kind']): unknown {
  if (error instanceof TokenError) publishToken('refused', kind, error.code);
  return error;
}
