import { UnprocessableContentError } from '@signalbox/errors';
import { Buckets } from './buckets.js';
import type { EventCall, KnownEvent } from './dispatch.js';
import { followJob } from './following.js';
import { enter, leave } from './rooms.js';
import { renew } from './renewal.js';
import { authOf } from './sign-in.js';
import type { Members } from './members.js';
import { payloadCheck } from './payload.js';
import { readRate } from './rate.js';
import type { AnyEvent, Settings } from './settings.js';

const TIMEOUT_MS = 30_000;
// Of each socket: all pages of a subject come back at once, each with all its rooms, and renew what they share.
const OWN_RATE = readRate('realtime', 'limit', '20/s burst 200');
const RENEW_RATE = readRate('realtime', 'limit', '5/m');

/** What clients may send: the events that the app declared, and those that every socket has. */
export function knownEvents(settings: Settings, members: Members): Map<string, KnownEvent> {
  const known = new Map<string, KnownEvent>();
  const add = (name: string, rate: Buckets['rate'], run: KnownEvent['run']): void => {
    const check = async (payload: unknown): Promise<unknown> => payload;
    const buckets = new Buckets(rate);
    known.set(name, { name, check, buckets, isCountedBySocket: true, timeoutMs: TIMEOUT_MS, run });
  };
  for (const [name, event] of settings.events) known.set(name, declared(name, event, settings));

  add('join', OWN_RATE, (payload, { member }) => enter(settings, member, textOf(payload, 'room')));
  add('leave', OWN_RATE, (payload, { member }) => leave(member, textOf(payload, 'room')));
  add('renew', RENEW_RATE, (payload, { member }) => renew(settings, members, member, authOf(payload)));
  if (settings.jobs !== undefined) {
    add('resume', OWN_RATE, async (payload, { member }) => {
      const id = textOf(payload, 'id');
      await followJob(settings.jobs, member, id, numberOf(payload, 'after'));
      return { id };
    });
  }
  return known;
}

function declared(name: string, event: AnyEvent, settings: Settings): KnownEvent {
  const { schema, limit, timeoutMs = TIMEOUT_MS } = event;
  return {
    name,
    check: payloadCheck(name, schema),
    buckets:
      limit === undefined ? undefined : new Buckets(readRate('realtime', `events.${name}.limit`, limit)),
    isCountedBySocket: false,
    timeoutMs,
    // As a method: a handler may use the `this` that it was written with.
    run: (payload, call) => event.handler(payload as undefined, contextOf(call, settings)),
  };
}

function contextOf(call: EventCall, { jobs }: Settings): Parameters<AnyEvent['handler']>[1] {
  const { member, signal, requestId } = call;
  return {
    socket: member.socket,
    principal: member.principal,
    signal,
    requestId,
    emit: (event, payload) => void member.socket.emit(event, payload),
    follow: (id, after = 0) => followJob(jobs, member, id, after),
  };
}

const MAX_TEXT = 200;

/** A field of text that can be a name. */
function textOf(payload: unknown, field: string): string {
  const value = fieldOf(payload, field);
  const isName =
    typeof value === 'string' && value !== '' && value.length <= MAX_TEXT && !/\p{Cc}/u.test(value);
  if (!isName) throw invalid(field, `Must be text of 1 to ${MAX_TEXT} characters`);
  return value;
}

/** A field with a count, 0 where there is none. */
function numberOf(payload: unknown, field: string): number {
  const value = fieldOf(payload, field) ?? 0;
  if (!Number.isSafeInteger(value) || (value as number) < 0)
    throw invalid(field, 'Must be an integer of at least 0');
  return value as number;
}

function fieldOf(payload: unknown, field: string): unknown {
  return typeof payload === 'object' && payload !== null ? Reflect.get(payload, field) : undefined;
}

function invalid(field: string, message: string): UnprocessableContentError {
  return new UnprocessableContentError(`The payload is not valid: /${field}: ${message}`, {
    code: 'validation_failed',
    details: [{ in: 'payload', pointer: `/${field}`, message }],
  });
}
