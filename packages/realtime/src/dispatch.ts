import { setMaxListeners } from 'node:events';
import { currentRequest, runInContext, type ScopeInit } from '@signalbox/context';
import { BadRequestError } from '@signalbox/errors';
import type { Buckets } from './buckets.js';
import { askLimit } from './limit.js';
import type { Member } from './member.js';
import type { PayloadCheck } from './payload.js';
import { tooFast, tooManyInFlight, unknownEvent } from './refusals.js';
import type { Settings } from './settings.js';
import { toldError } from './told-error.js';
import { within } from './within.js';

/** One event that a client has sent. */
export interface EventCall {
  readonly member: Member;
  readonly signal: AbortSignal;
  readonly requestId: string;
}

/** What is done about an event. */
export interface KnownEvent {
  readonly name: string;
  readonly check: PayloadCheck;
  readonly buckets: Buckets | undefined;
  /** Whether each socket is counted by itself, rather than all of a subject together. */
  readonly isCountedBySocket: boolean;
  readonly timeoutMs: number;
  run(payload: unknown, call: EventCall): unknown;
}

type Reply = (answer: unknown) => void;

/**
 * Hands the events of sockets to their handlers: within limits, with a payload that was checked, a time, and a context
 * of its own. Answers by the acknowledgement, where the client asked for one. What fails is told as `{ error }`, in the
 * acknowledgement or as the event `error`.
 *
 * @returns what begins to listen to a socket
 */
export function createDispatch(
  settings: Settings,
  events: ReadonlyMap<string, KnownEvent>,
): (member: Member) => void {
  const { maxInFlight, log } = settings;

  async function judgeAndRun(
    event: KnownEvent,
    packet: readonly unknown[],
    call: EventCall,
  ): Promise<unknown> {
    const { member } = call;
    if (packet.length > 2) throw new BadRequestError('An event has one payload', { code: 'bad_event' });
    const whose = event.isCountedBySocket ? member.socket.id : member.who;
    const retryMs = event.buckets?.take(whose) ?? 0;
    if (event.buckets !== undefined && retryMs > 0) throw tooFast(event.name, event.buckets.rate, retryMs);
    await askLimit(settings, member.principal, event.name, member.socket);
    const payload = await event.check(packet[1]);
    return event.run(payload, call);
  }

  async function run(
    event: KnownEvent,
    packet: readonly unknown[],
    member: Member,
    control: AbortController,
  ): Promise<unknown> {
    if (member.calls.size >= maxInFlight) throw tooManyInFlight(maxInFlight);
    member.calls.add(control);
    try {
      const call = { member, signal: control.signal, requestId: currentRequest()?.id ?? '' };
      return await within(event.timeoutMs, judgeAndRun(event, packet, call), (late) => control.abort(late));
    } finally {
      member.calls.delete(control);
    }
  }

  function refuse(error: unknown, name: string, member: Member, reply: Reply | undefined): void {
    const object = toldError(error, currentRequest()?.id);
    if (object.code >= 500)
      log.error({ err: error, event: name, requestId: object.requestId }, 'Socket event failed');
    if (reply === undefined) member.socket.emit('error', { error: object, event: name });
    else reply({ error: object });
  }

  async function handle(
    event: KnownEvent,
    packet: unknown[],
    member: Member,
    control: AbortController,
  ): Promise<void> {
    const last = packet.at(-1);
    const reply = typeof last === 'function' ? (packet.pop() as Reply) : undefined;
    try {
      const answer = await run(event, packet, member, control);
      reply?.(answer === undefined ? {} : answer);
    } catch (error) {
      refuse(error, event.name, member, reply);
    }
  }

  function handleInContext(event: KnownEvent, packet: unknown[], member: Member): void {
    const { traceparent } = member.request.headers;
    const control = new AbortController();
    // Every call of a handler may listen; Node would take the eleventh for a leak.
    setMaxListeners(0, control.signal);
    const scope: ScopeInit = {
      signal: control.signal,
      traceparent: typeof traceparent === 'string' ? traceparent : undefined,
      deadline: performance.now() + event.timeoutMs,
      facts: { userId: member.principal?.subject, route: event.name },
    };
    void runInContext(scope, async () => {
      await handle(event, packet, member, control);
      // What goes on after an answer in time has no time of its own, as over HTTP.
      if (!control.signal.aborted) scope.deadline = undefined;
    });
  }

  return function listen(member) {
    const { socket } = member;
    socket.use((packet: unknown[], next) => {
      const [name] = packet;
      const event = typeof name === 'string' ? events.get(name) : undefined;
      if (member.isEnding) return;
      if (event !== undefined) return handleInContext(event, packet, member);
      // Somebody listens through Socket.IO itself.
      if (isHeard(socket, name)) return next();
      const last = packet.at(-1);
      const reply = typeof last === 'function' ? (last as Reply) : undefined;
      refuse(unknownEvent(), String(name).slice(0, 100), member, reply);
    });
  };
}

function isHeard(socket: Member['socket'], name: unknown): boolean {
  if (socket.listenersAny().length > 0) return true;
  // Socket.IO listens to `error` itself.
  return typeof name === 'string' && name !== 'error' && socket.listenerCount(name) > 0;
}
