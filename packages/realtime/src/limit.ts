import type { Socket } from 'socket.io';
import type { SocketPrincipal } from './principal.js';
import { overLimit } from './refusals.js';
import type { Settings } from './settings.js';

/** What a limit may say, as `take()` of `@signalbox/rate-limit` does. */
export interface LimitAnswer {
  readonly allowed: boolean;
  readonly retryAfterSeconds?: number | undefined;
}

/** Asks the app's own limit, which refuses by what it throws or by its answer. */
export async function askLimit(
  { limit }: Pick<Settings, 'limit'>,
  principal: SocketPrincipal | undefined,
  event: string,
  socket: Socket,
): Promise<void> {
  const answer = await limit?.(principal, event, socket);
  if (typeof answer === 'object' && !answer.allowed) throw overLimit(event, answer.retryAfterSeconds);
}
