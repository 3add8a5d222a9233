import { randomBytes } from 'node:crypto';

// The id of a long-polling session tells which process it belongs to, so that a poll that came to another one can be
// handed on, or refused with the reason. It begins with the name that the process gave itself, which says nothing else.

const NAME = /^[\w-]{8}$/;

/** A name for this process. */
export function newNodeName(): string {
  return randomBytes(6).toString('base64url');
}

/** An id that nobody can guess, of a session of this process. */
export function newSessionId(node: string): string {
  return node + randomBytes(15).toString('base64url');
}

/** The process that a session belongs to; `undefined` where the id is none of ours. */
export function nodeOf(sessionId: string): string | undefined {
  const node = sessionId.slice(0, 8);
  return sessionId.length === 28 && NAME.test(node) ? node : undefined;
}
