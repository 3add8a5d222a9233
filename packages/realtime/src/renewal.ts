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
  const since = performance.now();
  const principal = await signIn(settings, member.request, auth);
  // It may have gone meanwhile, and is not to be counted again.
  if (member.isEnding) return { expiresAt: null };
  const { principal: before } = member;
  if (principal?.subject !== before?.subject) throw otherSubject();
  member.principal = principal;
  member.auth = auth;
  members.move(member, before);
  // It was asked about before somebody was signed out, and answered after.
  if (members.hasEnded(member, since)) member.end(sessionEnded('signed_out'));
  watchExpiry(member, settings.expiryNoticeMs);
  await leaveForbidden(settings, member);
  return { expiresAt: principal?.expiresAt ?? null };
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
    await renew(settings, members, member, member.auth);
  } catch (error) {
    if (toErrorObject(error).code < 500) member.end(error);
    else setTimeout(() => void recheck(settings, members, member), RETRY_MS).unref();
  }
}
