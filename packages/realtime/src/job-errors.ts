import {
  GoneError,
  HttpError,
  NotFoundError,
  ServiceUnavailableError,
  TooManyRequestsError,
} from '@signalbox/errors';

/** 404 `job_not_found`: there is no such job, any more or for whoever asks. */
export class JobNotFoundError extends NotFoundError {
  constructor() {
    super('There is no such job', { code: 'job_not_found' });
  }
}

/** 429 `too_many_jobs`: the owner has too many that run. */
export class TooManyJobsError extends TooManyRequestsError {
  constructor(max: number) {
    super(`At most ${max} jobs at a time`, {
      code: 'too_many_jobs',
      details: { limit: max },
      retryAfterSeconds: 1,
    });
  }
}

/** The process has too much to do, or is about to end. */
export function noRoom(): HttpError {
  return new ServiceUnavailableError('No more jobs can be started here now', {
    code: 'too_many_jobs',
    expose: true,
    retryAfterSeconds: 1,
  });
}

/** What followers of a job are told of which nothing is known any more. */
export function jobLost(): HttpError {
  return new GoneError('The job is gone', { code: 'job_lost' });
}

export function jobCancelled(): HttpError {
  return new HttpError(409, 'The job was cancelled', { code: 'job_cancelled' });
}

/** What is told of a job that ended the processes which ran it. */
export function jobAbandoned(): HttpError {
  return new HttpError(500, 'The job was begun several times and never ended', {
    code: 'job_abandoned',
    expose: true,
  });
}

export function resultTooLarge(maxBytes: number): HttpError {
  return new HttpError(500, `The result is larger than ${maxBytes} bytes`, {
    code: 'result_too_large',
    expose: true,
  });
}
