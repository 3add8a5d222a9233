import { runInContext } from '@signalbox/context';
import { toErrorObject } from '@signalbox/errors';
import { watchExpiry } from './expiry.js';
import type { Member } from './member.js';
import type { Members } from './members.js';
import type { SocketAuth } from './options.js';
import { otherSubject, sessionEnded } from './refusals.js';
import { leaveForbidden } from './rooms.js';
import { signIn } from './sign-in.js';
import type { Settings } from './settings.js';

/** The client has a new credential: the socket goes on with it, where it belongs to the same subject. */
export async function renew(
  settings: Settings,
  members: Members,
  member: Member,
  auth: SocketAuth,
): Promise<{ expiresAt: number | null }> {
  member.renewals += 1;
  await inTurn(member, async () => {
    try {
      await signInAgain(settings, members, member, auth);
    } finally {
      member.renewals -= 1;
    }
  });
  try {
    await leaveForbidden(settings, member);
  } catch (error) {
    // It is renewed, and must not stay where it may not be any more.
    recheckLater(settings, members, member);
    throw error;
  }
  return { expiresAt: member.principal?.expiresAt ?? null };
}

/** One question at a time about each socket: an answer must not be overtaken by one to an earlier question. */
function inTurn(member: Member, ask: () => Promise<void>): Promise<void> {
  const answered = member.asked.then(ask);
  member.asked = answered.catch(() => undefined);
  return answered;
}

async function signInAgain(
  settings: Settings,
  members: Members,
  member: Member,
  auth: SocketAuth,
): Promise<void> {
  const since = performance.now();
  const principal = await signIn(settings, member.request, auth);
  // It may have gone meanwhile, and is not to be counted again.
  if (member.isEnding) return;
  const { principal: before } = member;
  if (principal?.subject !== before?.subject) throw otherSubject();
  member.principal = principal;
  member.auth = auth;
  members.move(member, before);
  // It was asked about before somebody was signed out, and answered after.
  if (members.hasEnded(member, since)) member.end(sessionEnded('signed_out'));
  watchExpiry(member, settings.expiryNoticeMs);
}

/** How long until a socket is asked about again, where nobody could say. */
const RETRY_MS = 2_000;

/**
 * Asks anew who a socket belongs to, by what it came with: it ends where that is nobody any more. Where nobody can say,
 * such as with a store that is down, it stays until somebody can.
 */
export async function recheck(settings: Settings, members: Members, member: Member): Promise<void> {
  if (member.isEnding) return;
  try {
    // By what it has when its turn comes: it may be about to be renewed.
    await inTurn(member, () => signInAgain(settings, members, member, member.auth));
    await leaveForbidden(settings, member);
  } catch (error) {
    if (toErrorObject(error).code >= 500) recheckLater(settings, members, member);
    else if (member.renewals === 0) member.end(error);
    // A better credential is on its way.
    else await recheck(settings, members, member);
  }
}

/** Once for all that asked in vain, and not within the request of one, whose deadline is over by then. */
function recheckLater(settings: Settings, members: Members, member: Member): void {
  if (member.retry !== undefined || member.isEnding) return;
  const again = (): void => {
    member.retry = undefined;
    void runInContext({ id: member.socket.id }, () => recheck(settings, members, member));
  };
  member.retry = setTimeout(again, RETRY_MS).unref();
}
