import { facts } from '@signalbox/context';
import { requireObject, requireText } from '@signalbox/options';
import type { Request } from 'express';
import { countOlder, ownershipOf } from './ownership.js';
import { publish, type Saver } from './saver.js';
import { isReserved } from './session-text.js';
import type { SessionPlace } from './store.js';
import { requireVisit, type Kit } from './visit.js';

/** Gives the visitor a new session. The one before is dead when this resolves, and untouched when it rejects. */
export async function signIn(kit: Kit, req: Request, userId: string, data: object): Promise<void> {
  requireText('signIn', 'userId', userId);
  requireObject('signIn', 'data', data);
  const { settings, saver, express, users } = kit;
  const visit = requireVisit('signIn', req);
  const old = visit.place;
  const wanted = ownershipOf(settings, req, settings.now(), old?.handle);
  const owner = await countOlder(settings, saver, userId, wanted);
  visit.tag = settings.ids.tagOf(userId);
  express.generate(req);
  visit.tag = '';
  const kept = Object.entries(data).filter(([key]) => !isReserved(key));
  Object.assign(req.session, Object.fromEntries(kept), { userId });
  try {
    await Promise.all([visit.save(owner), users && visit.loadUser(userId)]);
    // Only now: who cannot sign in keeps what he had.
    if (old !== undefined) await replace(saver, old, visit.place);
  } catch (error) {
    visit.dropCookie();
    visit.leave();
    // For whoever tries again: it has to end still.
    visit.place = old;
    throw error;
  }
  visit.userId = userId;
  facts(req).userId = userId;
}

/** Ends the session before; where that fails the new one ends too, for the visitor has one or the other. */
async function replace(saver: Saver, old: SessionPlace, fresh: SessionPlace | undefined): Promise<void> {
  try {
    await saver.end(old);
  } catch (error) {
    if (fresh !== undefined) await saver.end(fresh).catch(() => false);
    throw error;
  }
}

/** Ends the visitor's session and takes the cookie back. Rejects when nobody knows whether it has ended. */
export async function signOut({ saver }: Kit, req: Request): Promise<void> {
  const visit = requireVisit('signOut', req);
  if (visit.place !== undefined && (await saver.end(visit.place))) publish('ended');
  visit.place = undefined;
  visit.leave();
  visit.clearCookie();
}
