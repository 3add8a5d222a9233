import { RedisReplyError, RedisUnavailableError, type RedisUnavailableReason } from './errors.js';

/** Error replies that say "not now", by their first word. */
const REASONS: Readonly<Record<string, RedisUnavailableReason>> = {
  READONLY: 'readonly',
  OOM: 'oom',
  LOADING: 'loading',
  CLUSTERDOWN: 'cluster',
  TRYAGAIN: 'cluster',
  MOVED: 'cluster',
  ASK: 'cluster',
  BUSY: 'busy',
  MASTERDOWN: 'replication',
  NOREPLICAS: 'replication',
  NOGOODSLAVE: 'replication',
  MISCONF: 'disk',
  NOAUTH: 'auth',
  WRONGPASS: 'auth',
};

const WORDS: Readonly<Record<RedisUnavailableReason, string>> = {
  down: 'not connected',
  timeout: 'no answer in time',
  deadline: "the request's deadline is over",
  breaker: 'not asked, too many commands before this one failed',
  closed: 'closed',
  readonly: 'the server is a read-only replica',
  oom: "the server's memory is full",
  loading: 'the server is loading its data',
  cluster: 'the cluster has no server for this key now',
  busy: 'the server is busy',
  replication: 'the server has lost its replication',
  disk: 'the server cannot save to disk and takes no writes',
  auth: 'the server did not accept the credentials',
};

/** A script's error carries that of the command within: `… script: …, -OOM command not allowed …`. */
const INSIDE_SCRIPT = /[\s-](READONLY|OOM|LOADING|MASTERDOWN|NOREPLICAS|MISCONF|CLUSTERDOWN)\s/;

/** Redis repeats arguments of commands that it does not know. */
const REPEATED_ARGUMENTS = /,? with args beginning with:.*$/s;

const MAX_SHOWN = 200;

/** An error of its own making, without the words of anybody else. */
export function unavailable(
  link: string,
  reason: RedisUnavailableReason,
  words: string = WORDS[reason],
  cause?: unknown,
): RedisUnavailableError {
  return new RedisUnavailableError(link, reason, words, cause);
}

/** Whether the server said it, as opposed to the client or the network. */
export function isReply(error: Error): boolean {
  return error.name === 'ReplyError';
}

/** Puts what ioredis rejects with into our own words. Its errors carry the arguments: they end here. */
export function failureOf(
  link: string,
  command: string,
  error: Error,
): RedisUnavailableError | RedisReplyError {
  if (error instanceof RedisUnavailableError) return error;
  const { message } = error;
  if (isReply(error)) {
    const reason = reasonOfReply(message);
    if (reason !== undefined) return unavailable(link, reason);
    return new RedisReplyError(link, command, message.replace(REPEATED_ARGUMENTS, '').slice(0, MAX_SHOWN));
  }
  if (message.startsWith('Too many Cluster redirections')) return unavailable(link, 'cluster');
  if (message === 'Command timed out') return unavailable(link, 'timeout');
  if (message.includes('subscriber mode') || message.includes('monitoring mode')) {
    return new RedisReplyError(link, command, 'the client is in subscriber or monitor mode');
  }
  return unavailable(link, 'down', 'the connection is lost');
}

function reasonOfReply(message: string): RedisUnavailableReason | undefined {
  const space = message.indexOf(' ');
  const direct = REASONS[space === -1 ? message : message.slice(0, space)];
  if (direct !== undefined) return direct;
  if (message.includes('max number of clients')) return 'busy';
  if (!message.includes('script')) return undefined;
  const inside = INSIDE_SCRIPT.exec(message)?.[1];
  return inside === undefined ? undefined : REASONS[inside];
}

/** Why there is no connection, in words for an operator. The error itself may carry the password that was sent. */
export function connectionFailure(link: string, error: unknown): RedisUnavailableError {
  if (!(error instanceof Error)) return unavailable(link, 'down');
  const reason = isReply(error) ? (reasonOfReply(error.message) ?? 'down') : 'down';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const words = code ?? error.message.replaceAll(/\/\/\S*@/g, '//***@').slice(0, MAX_SHOWN);
  return unavailable(link, reason, `cannot connect: ${words}`);
}
