import {
  BadRequestError,
  ForbiddenError,
  type HttpError,
  NotFoundError,
  ServiceUnavailableError,
  TooManyRequestsError,
  UnauthorizedError,
} from '@signalbox/errors';
import type { Rate } from './rate.js';

// What is refused, with the same stable codes as over HTTP where HTTP has them.

export function authenticationRequired(): HttpError {
  return new UnauthorizedError('Sign in first', { code: 'authentication_required' });
}

export function credentialExpired(): HttpError {
  return new UnauthorizedError('The token has expired', { code: 'token_expired' });
}

/** What a socket that is ended from the server's side is told before. */
export function sessionEnded(reason: string): HttpError {
  return new UnauthorizedError('The session has ended', { code: 'session_ended', details: { reason } });
}

export function otherSubject(): HttpError {
  return new UnauthorizedError('The token belongs to somebody else', { code: 'conflicting_credentials' });
}

export function originNotAllowed(): HttpError {
  return new ForbiddenError('Pages of this origin may not connect', { code: 'origin_not_allowed' });
}

export function websocketOnly(): HttpError {
  return new BadRequestError(
    'This server takes WebSocket connections only: connect with { transports: ["websocket"] }',
    { code: 'websocket_only' },
  );
}

/** A poll that came to the wrong process. */
export function sessionElsewhere(): HttpError {
  return new BadRequestError(
    'This long-polling session belongs to another process: make the load balancer sticky (such as ip_hash of ' +
      'nginx), or connect with { transports: ["websocket"] }',
    { code: 'session_elsewhere' },
  );
}

export function draining(): HttpError {
  return new ServiceUnavailableError('The server is going away; connect again', {
    code: 'draining',
    expose: true,
    retryAfterSeconds: 1,
  });
}

export function tooManySockets(max: number): HttpError {
  return new TooManyRequestsError(`At most ${max} connections each`, {
    code: 'too_many_sockets',
    details: { limit: max },
  });
}

export function unknownEvent(): HttpError {
  return new NotFoundError('There is no such event here', { code: 'unknown_event' });
}

export function roomForbidden(): HttpError {
  return new ForbiddenError('You may not enter this room', { code: 'room_forbidden' });
}

export function tooManyRooms(max: number): HttpError {
  return new TooManyRequestsError(`At most ${max} rooms at a time`, {
    code: 'too_many_rooms',
    details: { limit: max },
  });
}

export function tooManyInFlight(max: number): HttpError {
  return new TooManyRequestsError(`At most ${max} events at a time; wait for an answer`, {
    code: 'too_many_in_flight',
    details: { limit: max },
    retryAfterSeconds: 1,
  });
}

/** By the app's own limit. */
export function overLimit(event: string, retryAfterSeconds = 1): HttpError {
  return new TooManyRequestsError(`Too many events; try again in ${retryAfterSeconds} s`, {
    code: 'rate_limited',
    details: { event, retryAfterSeconds },
    retryAfterSeconds,
  });
}

export function tooFast(event: string, { limit, windowMs }: Rate, retryMs: number): HttpError {
  const retryAfterSeconds = Math.max(1, Math.ceil(retryMs / 1000));
  return new TooManyRequestsError(`Too many events; try again in ${retryAfterSeconds} s`, {
    code: 'rate_limited',
    details: { event, limit, windowSeconds: windowMs / 1000, retryAfterSeconds },
    retryAfterSeconds,
  });
}
