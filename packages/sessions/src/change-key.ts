import { wrongOption } from '@signalbox/options';
import type { Request } from 'express';
import { SessionConflictError, SessionEndedError, SessionStoreUnavailableError } from './errors.js';
import type { KeptSession } from './saver.js';
import { changed, changeOfKey, isReserved, readText } from './session-text.js';
import { requireVisit, type Kit } from './visit.js';

/** How long it is tried again. */
const CHANGE_MS = 2_000;

/** What a key becomes, of what it is. */
export type SessionChange<Value> = (value: Value | undefined) => Value | undefined;

/** Changes one key of the session in the store, from what is there, however often others are faster. */
export async function changeKey<Value>(
  kit: Kit,
  req: Request,
  key: string,
  work: SessionChange<Value>,
): Promise<Value | undefined> {
  if (typeof key !== 'string' || isReserved(key)) throw wrongOption('change', 'key', 'a key of the app', key);
  const visit = requireVisit('change', req);
  const session = visit.session() as Record<string, unknown> | undefined;
  const { kept } = visit;
  if (session === undefined || kept === undefined) {
    const { failure } = visit;
    throw failure === undefined ? new SessionEndedError() : new SessionStoreUnavailableError(failure);
  }
  if (kept.body !== undefined) {
    session[key] = await changeKept(kit, kept, kept.body, key, work);
  } else {
    session[key] = work(session[key] as Value | undefined);
    await visit.save();
  }
  return session[key] as Value | undefined;
}

async function changeKept<Value>(
  { saver }: Kit,
  kept: KeptSession,
  known: string,
  key: string,
  work: SessionChange<Value>,
): Promise<Value | undefined> {
  const endsAtMs = performance.now() + CHANGE_MS;
  for (let body = known; ; ) {
    const data = JSON.parse(body) as Record<string, Value>;
    const value = work(data[key]);
    const change = changeOfKey(body, key, value);
    if (change === undefined || (await saver.change(kept, change))) {
      // What the request knows of its other keys stays as it was read: it may have changed them.
      if (change !== undefined) kept.body = changed(kept.body ?? body, [{ ...change, expected: '' }]);
      return value;
    }
    if (performance.now() > endsAtMs) throw new SessionConflictError();
    const text = await saver.read(kept.place);
    const read = text ? readText(text) : undefined;
    if (read === undefined) throw new SessionEndedError();
    body = read.body;
  }
}
