import type { RedisArgument, RedisReply } from './reply.js';

/** Whether commands are sent. */
export type RedisLinkStateName = 'connecting' | 'up' | 'down' | 'closed';

/** Runs a script, with its keys and arguments. */
export type RedisScript<Answer = RedisReply> = (
  keys: readonly string[],
  args: readonly RedisArgument[],
) => Promise<Answer>;

export interface ScriptOptions {
  /**
   * Whether text in the answer comes as `Buffer`.
   * @default false
   */
  bytes?: boolean | undefined;
}

/** {@link ScriptOptions}, and what makes something of the answer. */
export interface DecodedScriptOptions<Answer> extends ScriptOptions {
  /** Makes of the answer what the caller gets. What it throws rejects the call. */
  decode: (reply: RedisReply) => Answer;
}

/** Prepares a script, whose answer comes as it is, or as `decode` makes it. */
export interface PrepareScript {
  (name: string, lua: string, options?: ScriptOptions): RedisScript;
  <Answer>(name: string, lua: string, options: DecodedScriptOptions<Answer>): RedisScript<Answer>;
}

export interface SubscribeOptions {
  /**
   * Called after the connection was lost and made again: messages may have been missed in between. Also
   * called once when the subscription is made after it was asked for, if it was not at once.
   */
  onGap?: (() => void) | undefined;
}

/** {@link SubscribeOptions} of a listener to bytes. */
export interface ByteSubscribeOptions extends SubscribeOptions {
  /**
   * Whether `channel` is a pattern of channels, as PSUBSCRIBE takes it.
   * @default false
   */
  pattern?: boolean | undefined;
}

/** What {@link RedisLink.check} finds. Fits `redisCheck()` of `@signalbox/health`. */
export interface RedisLinkReport {
  status: 'healthy' | 'degraded' | 'unhealthy';
  /** Why it is not healthy, in words. */
  reason?: string | undefined;
  details: Readonly<Record<string, unknown>>;
}

/**
 * One way to Redis, for all that a process asks of it. Whatever is asked settles within the deadline. What is asked
 * before the first connection is there waits for it; once one was lost, nothing waits.
 * What Redis cannot do now rejects with a `RedisUnavailableError`, a command that is wrong in itself with a
 * `RedisReplyError`.
 */
export interface RedisLink {
  readonly name: string;
  readonly state: RedisLinkStateName;
  /** Whether it is a Redis Cluster: all keys of one script must share a hash tag then. */
  readonly cluster: boolean;
  readonly deadlineMs: number;
  /**
   * Resolves with the state once the first connection is there or could not be made, after a second at most, or the
   * deadline where that is longer: for a process that wants to listen only then. Never rejects.
   */
  settled(): Promise<RedisLinkStateName>;
  /** Sends a command; text in its answer comes as strings. */
  command(name: string, ...args: RedisArgument[]): Promise<RedisReply>;
  /** Sends a command; text in its answer comes as `Buffer`. */
  commandBytes(name: string, ...args: RedisArgument[]): Promise<RedisReply>;
  /**
   * For libraries that bring their own commands, such as rate-limit-redis: `SCRIPT LOAD` is answered here,
   * with the SHA-1, and the script remembered; an `EVALSHA` of it that Redis does not know is made an `EVAL`.
   */
  sendCommand: (...args: string[]) => Promise<RedisReply>;
  /**
   * Prepares a Lua script. It is run by `EVALSHA`, and where Redis does not know it, by `EVAL`.
   *
   * @param name what signals and errors call it
   */
  script: PrepareScript;
  /**
   * Listens to a channel, on a connection of its own that all subscriptions share.
   *
   * @returns a function that ends this subscription; doing so again does nothing
   */
  subscribe: (channel: string, listener: (message: string) => void, options?: SubscribeOptions) => () => void;
  /** As `subscribe`, for messages that are no text, and for patterns. The listener also hears the channel. */
  subscribeBytes: (
    channel: string,
    listener: (message: Buffer, channel: string) => void,
    options?: ByteSubscribeOptions,
  ) => () => void;
  /** Writes a key that expires, and asks for role and memory. Never rejects. */
  check(signal?: AbortSignal): Promise<RedisLinkReport>;
  /** The text of `INFO`; of a cluster, that of one of its servers. */
  info(): Promise<string>;
  /** Fails what is under way and closes what the link opened. A client that was handed in stays open. */
  close(): Promise<void>;
}
