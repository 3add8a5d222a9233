import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Something that gathers what it has to send. */
export interface Gathering {
  turnEnds(): void;
}

let gathering: Gathering[] = [];

/**
 * Calls it once all that the sockets have brought in this turn of the event loop is read: one `setImmediate` for
 * everybody, since one each costs more than what they gather.
 */
export function atTurnsEnd(each: Gathering): void {
  if (gathering.length === 0) setImmediate(endTurn);
  gathering.push(each);
}

function endTurn(): void {
  const ending = gathering;
  gathering = [];
  for (const each of ending) each.turnEnds();
}

/**
 * What is written until it is uncorked leaves in one write. Not the response itself is corked: it would put its end
 * before its chunks (Node 22 and 24).
 *
 * @returns `null` where the connection is still another response's
 */
export function corkConnection({ socket }: ServerResponse): Socket | null {
  socket?.cork();
  return socket;
}
