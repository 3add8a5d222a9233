import type { Request } from 'express';
import { TooManySessionsError } from './errors.js';
import type { Settings } from './options.js';
import { publish, type Saver } from './saver.js';
import type { ListedSession, Ownership, SessionPlace } from './store.js';

/** What a session that begins now is held to. */
export function ownershipOf(
  settings: Settings,
  req: Request,
  createdAtMs: number,
  replaces: string | undefined,
): Ownership {
  const { device, absoluteMs, idleMs, maxPerUser, onMax } = settings;
  return {
    entry: `${createdAtMs} ${device(req)}`,
    tooOldMs: createdAtMs - absoluteMs,
    replaces,
    keptMs: absoluteMs + idleMs,
    max: maxPerUser,
    refuse: onMax === 'refuse',
  };
}

/** Those that are not too old. A store lets each live on for `idleMs` when it is read, however old it is. */
export function withoutTooOld(
  sessions: readonly ListedSession[],
  { absoluteMs, now }: Settings,
): ListedSession[] {
  const tooOldMs = now() - absoluteMs;
  return sessions.filter(({ entry }) => Number.parseInt(entry, 10) > tooOldMs);
}

/** A session may have begun while sessions lived shorter, and so would be in the list for too short a time. */
export function keepListed({ store, absoluteMs, idleMs }: Settings, tag: string): void {
  store.keepList?.(tag, absoluteMs + idleMs).catch(() => undefined);
}

/** A session in the list of a user, as the user may see it. */
export interface SessionInfo {
  /** Its public name, a hash of its id: what `revoke()` takes. */
  id: string;
  createdAt: Date;
  lastSeenAt: Date;
  device: string;
  /** Whether it is the session of the request that asks. */
  current: boolean;
}

export function infoOf(session: ListedSession, lastSeenMs: number, here: string | undefined): SessionInfo {
  const { handle, entry } = session;
  return {
    id: handle,
    createdAt: new Date(Number.parseInt(entry, 10)),
    lastSeenAt: new Date(lastSeenMs),
    device: entry.slice(entry.indexOf(' ') + 1),
    current: handle === here,
  };
}

/**
 * Counts what a user has under older secrets, which the script of the newest does not see: those are the older
 * sessions, and give way first. Only while secrets are being replaced.
 */
export async function countOlder(
  settings: Settings,
  saver: Saver,
  userId: string,
  owner: Ownership,
): Promise<Ownership> {
  const { ids, store, maxPerUser } = settings;
  const [newest, ...older] = ids.tagsOf(userId);
  if (maxPerUser === 0 || older.length === 0 || newest === undefined) return owner;
  const placed: { place: SessionPlace; entry: string }[] = [];
  for (const tag of older) {
    for (const { handle, entry } of withoutTooOld(await saver.ask(store.list(tag)), settings)) {
      if (handle !== owner.replaces) placed.push({ place: { tag, handle }, entry });
    }
  }
  if (owner.refuse) {
    if (placed.length >= maxPerUser) throw new TooManySessionsError(maxPerUser);
    return { ...owner, max: maxPerUser - placed.length };
  }
  const listed = withoutTooOld(await saver.ask(store.list(newest)), settings);
  const here = listed.filter(({ handle }) => handle !== owner.replaces);
  placed.sort((one, other) => Number.parseInt(one.entry, 10) - Number.parseInt(other.entry, 10));
  for (const { place } of placed.slice(0, Math.max(0, placed.length + here.length + 1 - maxPerUser))) {
    if (await saver.end(place)) publish('revoked');
  }
  return owner;
}
