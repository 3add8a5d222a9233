import { Command } from 'ioredis';
import { currentRequest } from '@signalbox/context';
import { signals, type RedisCommand } from '@signalbox/signals';
import type { RedisClient, SingleClient } from './client.js';
import { createDeadlines, type Timed } from './deadlines.js';
import type { RedisReplyError, RedisUnavailableError } from './errors.js';
import { failureOf, isReply, unavailable } from './failure.js';
import type { Guard } from './guard.js';
import type { RedisArgument, RedisReply } from './reply.js';
import { createTurn } from './turn.js';

/**
 * A command on its way. A class, since V8 makes what a literal makes old from the start once a few of them have lived
 * long; and an old one that is done with would keep its request alive until the next major collection.
 */
export class Call implements Timed {
  guard: Guard | undefined = undefined;
  /** The server that it goes to. */
  node: SingleClient | undefined;
  /** Whether it goes there whatever its keys are, since it has none. */
  isDirect: boolean;
  isSettled = false;
  /** Set where the request has less time left than the link's deadline. */
  timer: NodeJS.Timeout | undefined = undefined;
  sentAt: number = Infinity;
  previous: Timed | undefined = undefined;
  next: Timed | undefined = undefined;

  /**
   * @param label what signals and errors call it
   * @param reject settles the caller's promise
   */
  constructor(
    readonly label: string,
    readonly probe: Probe | undefined,
    public reject: (error: Error) => void,
  ) {
    this.node = probe?.node;
    this.isDirect = probe !== undefined;
  }
}

/** The link's own PING, which is sent where others are refused. */
export interface Probe {
  /** To one server of a cluster. */
  node?: SingleClient | undefined;
  /** Hears an answer that comes too late. */
  late(answer: string): void;
}

/** What is done with an answer before the caller gets it; without a promise of its own, for each costs. */
export interface Follow {
  /** Makes something of the answer. */
  decode?: ((reply: RedisReply) => unknown) | undefined;
  /** Asks again after this error, or does not. */
  retry?: ((error: Error) => Promise<unknown> | undefined) | undefined;
}

/** How commands reach a server. */
export interface Route {
  /**
   * Looks whether the command can be sent now, and names its server in `call.node` and the guard of that in
   * `call.guard`. Returns why not, if not.
   */
  admit(command: Command, call: Call): RedisUnavailableError | undefined;
  /** Sends it; its server's stream is corked for the turn. */
  write(command: Command, call: Call): void;
  /** Hears of every refusal and failure. */
  failed(error: RedisUnavailableError, call: Call): void;
}

export interface Sender {
  send(
    name: string,
    args: readonly RedisArgument[],
    asBytes: boolean,
    label: string,
    probe?: Probe,
    follow?: Follow,
  ): Promise<RedisReply>;
  /** Fails everything that is under way. */
  close(): void;
}

/** Where a `Command` of the client's own copy of ioredis comes from. */
function commandClassOf(client: RedisClient): typeof Command {
  const own: unknown = Reflect.get(client.constructor, 'Command');
  return typeof own === 'function' ? (own as typeof Command) : Command;
}

/** @param first settles when the first connection is there, or could not be made; `undefined` once that is over */
export function createSender(
  link: { name: string; deadlineMs: number },
  client: RedisClient,
  route: Route,
  first: () => Promise<void> | undefined,
): Sender {
  const { name: linkName, deadlineMs } = link;
  const OwnCommand = commandClassOf(client);
  const { keyPrefix } = client.options;
  const textOptions = keyPrefix
    ? { replyEncoding: 'utf8' as const, keyPrefix }
    : { replyEncoding: 'utf8' as const };
  const byteOptions = keyPrefix ? { replyEncoding: null, keyPrefix } : { replyEncoding: null };
  const outstanding = createDeadlines<Call>(deadlineMs, expire);
  const turn = createTurn(() => outstanding.sent(performance.now()));

  let isClosed = false;

  function expire(call: Call): void {
    call.guard?.failed();
    // An answer that comes after all says nothing good.
    call.guard = undefined;
    if (call.isSettled) return;
    const error = unavailable(linkName, 'timeout', `no answer to ${call.label} within ${deadlineMs} ms`);
    settle(call, 'timeout');
    route.failed(error, call);
    call.reject(error);
  }

  /** The request's own deadline: says nothing about Redis, whose answer is still awaited. */
  function giveUp(call: Call): void {
    if (call.isSettled) return;
    settle(call, 'timeout');
    call.reject(unavailable(linkName, 'timeout', `no answer to ${call.label} before the request's deadline`));
  }

  function settle(call: Call, outcome: RedisCommand['outcome']): void {
    call.isSettled = true;
    if (call.timer !== undefined) clearTimeout(call.timer);
    if (!signals.redisCommand.hasSubscribers) return;
    const durationMs = call.sentAt === Infinity ? 0 : performance.now() - call.sentAt;
    signals.redisCommand.publish({ link: linkName, command: call.label, outcome, durationMs });
  }

  function fail(call: Call, cause: Error): RedisUnavailableError | RedisReplyError {
    const error = failureOf(linkName, call.label, cause);
    if (isReply(cause)) call.guard?.succeeded();
    else call.guard?.failed();
    if ('reason' in error) route.failed(error, call);
    return error;
  }

  function send(
    name: string,
    args: readonly RedisArgument[],
    asBytes: boolean,
    label: string,
    probe?: Probe,
    follow?: Follow,
  ): Promise<RedisReply> {
    const command = new OwnCommand(name, args as RedisArgument[], asBytes ? byteOptions : textOptions);
    // Into the object that ioredis makes of this answer, names that are no text would not fit.
    if (asBytes && name === 'hgetall')
      Object.assign(command, { transformReply: (answer: unknown) => answer });
    const { resolve, reject } = command;
    const call = new Call(label, probe, reject);
    const refusal = isClosed
      ? unavailable(linkName, 'closed')
      : (route.admit(command, call) ?? outOfTime(call));
    if (refusal !== undefined) {
      const connecting = refusal.reason === 'down' && probe === undefined ? first() : undefined;
      if (connecting !== undefined) {
        return afterFirst(connecting, call, () => send(name, args, asBytes, label, probe, follow));
      }
      settle(call, 'rejected');
      reject(refusal);
      return command.promise as Promise<RedisReply>;
    }

    command.resolve = (reply: unknown): void => {
      outstanding.remove(call);
      call.guard?.succeeded();
      if (call.isSettled) {
        probe?.late(String(reply));
        return;
      }
      settle(call, 'ok');
      if (follow?.decode === undefined) return resolve(reply);
      try {
        resolve(follow.decode(reply as RedisReply));
      } catch (error) {
        reject(error as Error);
      }
    };
    command.reject = (cause): void => {
      outstanding.remove(call);
      const error = fail(call, cause);
      if (call.isSettled) return;
      settle(call, 'error');
      const again = follow?.retry?.(error);
      if (again === undefined) reject(error);
      else again.then(resolve, reject);
    };
    // Before it is added: what makes room for this one has not sent it.
    if (call.node?.stream) turn.begin(call.node.stream);
    outstanding.add(call);
    route.write(command, call);
    const answer = command.promise as Promise<RedisReply>;
    return name === 'hgetall' ? answer.then(flattened) : answer;
  }

  /** Sends what was asked for before there was a connection once it is there: all in their order, each within its time. */
  async function afterFirst(
    connecting: Promise<void>,
    call: Call,
    sendNow: () => Promise<RedisReply>,
  ): Promise<RedisReply> {
    const requestLeftMs = (currentRequest()?.deadline ?? Infinity) - performance.now();
    const leftMs = Math.max(0, Math.min(deadlineMs, requestLeftMs));
    let isSent = false;
    let timer: NodeJS.Timeout | undefined;
    const expired = new Promise<never>((_resolve, reject) => {
      const expireNow = (): void => {
        if (!isSent) settle(call, 'rejected');
        reject(unavailable(linkName, isSent ? 'timeout' : 'down'));
      };
      timer = setTimeout(() => setImmediate(expireNow), Math.ceil(leftMs));
    });
    try {
      await Promise.race([connecting, expired]);
      isSent = true;
      return await Promise.race([sendNow(), expired]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Arms a timer of its own for a request that has less time left than the link gives. */
  function outOfTime(call: Call): RedisUnavailableError | undefined {
    if (call.probe !== undefined) return undefined;
    const deadline = currentRequest()?.deadline;
    if (deadline === undefined) return undefined;
    const leftMs = deadline - performance.now();
    if (leftMs >= deadlineMs) return undefined;
    if (leftMs <= 0) return unavailable(linkName, 'deadline');
    call.timer = setTimeout(() => setImmediate(giveUp, call), Math.ceil(leftMs));
    return undefined;
  }

  return {
    send,
    close() {
      isClosed = true;
      outstanding.drain((call) => {
        if (call.isSettled) return;
        settle(call, 'error');
        call.reject(unavailable(linkName, 'closed', 'the link was closed'));
      });
    },
  };
}

/** ioredis makes an object of this one answer. */
function flattened(answer: RedisReply): RedisReply {
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) return answer;
  return Object.entries(answer).flat() as RedisReply[];
}
