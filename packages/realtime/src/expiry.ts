import type { Member } from './member.js';
import { credentialExpired } from './refusals.js';

/** The longest that Node's timers can wait. */
const MAX_TIMER_MS = 2_147_483_647;

/**
 * Sees to it that no socket outlives its credential: tells it some time before, and ends it then unless it was renewed.
 * Of a credential that lasts for less than twice that time, the notice comes at half of what is left.
 */
export function watchExpiry(member: Member, noticeMs: number): void {
  clearTimeout(member.expiry);
  member.expiry = undefined;
  const { principal } = member;
  if (principal?.expiresAt === undefined || member.isEnding) return;

  const leftMs = principal.expiresAt - Date.now();
  const noticeAt = principal.expiresAt - Math.min(noticeMs, leftMs / 2);
  waitUntil(member, noticeAt, () => {
    const { expiresAt = 0 } = principal;
    member.socket.emit('token_expired', {
      expiresAt,
      endsInMs: Math.max(0, Math.round(expiresAt - Date.now())),
    });
    waitUntil(member, expiresAt, () => member.end(credentialExpired()));
  });
}

function waitUntil(member: Member, at: number, then: () => void): void {
  const leftMs = at - Date.now();
  member.expiry = setTimeout(
    () => {
      if (at > Date.now()) waitUntil(member, at, then);
      else then();
    },
    Math.min(Math.max(leftMs, 0), MAX_TIMER_MS),
  ).unref();
}
