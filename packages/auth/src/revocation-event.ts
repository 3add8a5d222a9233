/** What happened to somebody. */
export type RevocationEventType = 'signed_out' | 'banned' | 'roles_changed';

/** Somebody is not to be let in any more, or not as before. */
export interface RevocationEvent {
  readonly type: RevocationEventType;
  readonly subject: string;
  /** One sign-in by token alone: the `family` of its tokens. */
  readonly family?: string | undefined;
  /** One token that belongs to no family alone: its `jti`. */
  readonly tokenId?: string | undefined;
  /** One session alone, by the name that the app has for it. */
  readonly session?: string | undefined;
  /** Tokens that were issued until then, in milliseconds since 1970, are revoked. */
  readonly untilMs?: number | undefined;
}

export const EVENT_TYPES: readonly RevocationEventType[] = ['signed_out', 'banned', 'roles_changed'];

const MAX_LENGTH = 1_024;

export function isRevocationEvent(value: unknown): value is RevocationEvent {
  if (typeof value !== 'object' || value === null) return false;
  const { type, subject, family, tokenId, session, untilMs } = value as Record<string, unknown>;
  return (
    EVENT_TYPES.includes(type as RevocationEventType) &&
    isName(subject) &&
    [family, tokenId, session].every((name) => name === undefined || isName(name)) &&
    (untilMs === undefined || Number.isSafeInteger(untilMs))
  );
}

function isName(value: unknown): boolean {
  return typeof value === 'string' && value !== '' && value.length <= MAX_LENGTH;
}
