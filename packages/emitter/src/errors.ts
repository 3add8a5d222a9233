import { ServiceUnavailableError } from '@signalbox/errors';

/** Too many events wait for Redis; this one was not taken. 503 `emitter_queue_full`. */
export class EmitterQueueFullError extends ServiceUnavailableError {
  /** How many wait. */
  readonly queued: number;

  constructor(queued: number) {
    super(`emit: ${queued} events wait for Redis already`, {
      code: 'emitter_queue_full',
      retryAfterSeconds: 1,
    });
    this.queued = queued;
  }
}
