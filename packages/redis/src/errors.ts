import { InternalServerError, ServiceUnavailableError } from '@signalbox/errors';

/** Why Redis cannot do it now. */
export type RedisUnavailableReason =
  /** There is no connection, or it broke with the command under way: it may or may not have happened. */
  | 'down'
  /** No answer within the deadline: it may or may not have happened. */
  | 'timeout'
  /** Not sent, since the request that wants it has no time left; it says nothing about Redis. */
  | 'deadline'
  /** Not sent, since too many before it failed. */
  | 'breaker'
  /** Not sent, since the link or its client is closed. */
  | 'closed'
  /** The server is a replica, as after a failover. */
  | 'readonly'
  /** The server's memory is full. */
  | 'oom'
  /** The server is reading its data from disk. */
  | 'loading'
  /** The cluster has no server for the key just now. */
  | 'cluster'
  /** The server runs a script or function that lasts too long, or has too many clients. */
  | 'busy'
  /** Too few replicas are connected, or the replica has lost its primary. */
  | 'replication'
  /** The server could not save to its disk and takes no writes. */
  | 'disk'
  /** The server does not accept the password, or wants one. */
  | 'auth';

/**
 * Redis cannot do it now: 503 `redis_unavailable`, with `Retry-After`. What a feature does about it is its
 * own policy. Names the link and the reason; no key, argument or credential.
 */
export class RedisUnavailableError extends ServiceUnavailableError {
  /** The link's name. */
  readonly link: string;
  readonly reason: RedisUnavailableReason;

  constructor(link: string, reason: RedisUnavailableReason, words: string, cause?: unknown) {
    super(`redis "${link}": ${words}`, { code: 'redis_unavailable', retryAfterSeconds: 1, cause });
    this.link = link;
    this.reason = reason;
  }
}

/** Redis refused a command that is wrong in itself, such as WRONGTYPE or a failing script: 500 `redis_error`. */
export class RedisReplyError extends InternalServerError {
  /** The link's name. */
  readonly link: string;
  /** The first word of the reply, such as `WRONGTYPE`. */
  readonly replyCode: string;

  constructor(link: string, command: string, reply: string) {
    super(`redis "${link}": ${command} was refused: ${reply}`, { code: 'redis_error' });
    this.link = link;
    this.replyCode = reply.split(' ', 1)[0] ?? '';
  }
}
