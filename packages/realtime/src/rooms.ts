import type { Member } from './member.js';
import { roomForbidden, tooManyRooms } from './refusals.js';
import type { Settings } from './settings.js';

/** Begins the names of rooms that no client may ask for. */
const OWN = 'signalbox:';

/** The room that all sockets of a subject are in. */
export function roomOf(subject: string): string {
  return `${OWN}subject:${subject}`;
}

/** A client wants to enter a room. */
export async function enter(
  { rooms, maxRoomsPerSocket }: Settings,
  member: Member,
  room: string,
): Promise<{ room: string }> {
  const { socket, entered } = member;
  // Each socket is alone in a room of its id: whoever entered it would hear what it is told.
  if (room.startsWith(OWN) || socket.nsp.sockets.has(room)) throw roomForbidden();
  if (entered.size >= maxRoomsPerSocket && !entered.has(room)) throw tooManyRooms(maxRoomsPerSocket);

  let { principal } = member;
  let answer: unknown = await rooms(room, principal);
  // It was asked about somebody with other roles.
  while (principal !== member.principal) {
    principal = member.principal;
    answer = await rooms(room, principal);
  }
  if (answer !== true) throw roomForbidden();
  if (entered.size >= maxRoomsPerSocket && !entered.has(room)) throw tooManyRooms(maxRoomsPerSocket);
  if (!member.isEnding) {
    entered.add(room);
    await socket.join(room);
    socket.emit('joined', { room });
  }
  return { room };
}

export async function leave({ socket, entered }: Member, room: string): Promise<{ room: string }> {
  if (entered.delete(room)) await socket.leave(room);
  return { room };
}

/** Takes a socket out of the rooms that it may not be in any more. */
export async function leaveForbidden({ rooms }: Settings, member: Member): Promise<void> {
  const { socket, entered, principal } = member;
  for (const room of Array.from(entered)) {
    const answer: unknown = await rooms(room, principal);
    if (answer === true) continue;
    entered.delete(room);
    await socket.leave(room);
    socket.emit('left', { room });
  }
}
