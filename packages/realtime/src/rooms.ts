import type { Socket } from 'socket.io';
import type { Member } from './member.js';
import { roomForbidden, tooManyRooms } from './refusals.js';
import type { Settings } from './settings.js';

/** Begins the names of rooms that no client may ask for. */
const OWN = 'signalbox:';

/** The room that all sockets of a subject are in. */
export function roomOf(subject: string): string {
  return `${OWN}subject:${subject}`;
}

/**
 * Each socket is alone in a room of its id: whoever entered it would hear what it is told. As none may ask for what begins
 * so, none needs to know the ids of other processes.
 */
export function keepOwnRoom(socket: Socket): void {
  // In the list of those that connect it is by its first id, and would stay there for ever.
  const connecting: unknown = Reflect.get(socket.nsp, '_preConnectSockets');
  const isListed = connecting instanceof Map && connecting.delete(socket.id);
  Reflect.set(socket, 'id', OWN + socket.id);
  if (isListed) connecting.set(socket.id, socket);
}

/** A client wants to enter a room. */
export async function enter(settings: Settings, member: Member, room: string): Promise<{ room: string }> {
  const { socket, entered } = member;
  const { maxRoomsPerSocket } = settings;
  if (room.startsWith(OWN)) throw roomForbidden();
  if (entered.size >= maxRoomsPerSocket && !entered.has(room)) throw tooManyRooms(maxRoomsPerSocket);

  const entry = { room, isCalledOff: false };
  member.entering.add(entry);
  try {
    if (!(await isOpenTo(settings, member, room))) throw roomForbidden();
  } finally {
    member.entering.delete(entry);
  }
  if (entry.isCalledOff) return { room };
  if (entered.size >= maxRoomsPerSocket && !entered.has(room)) throw tooManyRooms(maxRoomsPerSocket);
  if (!member.isEnding) {
    entered.add(room);
    await socket.join(room);
    socket.emit('joined', { room });
  }
  return { room };
}

/** Asks anew where the answer was about somebody with other roles. */
async function isOpenTo({ rooms }: Settings, member: Member, room: string): Promise<boolean> {
  for (;;) {
    const { principal } = member;
    const answer: unknown = await rooms(room, principal);
    if (principal === member.principal) return answer === true;
  }
}

export async function leave({ socket, entered, entering }: Member, room: string): Promise<{ room: string }> {
  // It may be asked still whether it may enter.
  for (const entry of entering) if (entry.room === room) entry.isCalledOff = true;
  if (entered.delete(room)) await socket.leave(room);
  return { room };
}

/** Takes a socket out of the rooms that it may not be in any more. */
export async function leaveForbidden(settings: Settings, member: Member): Promise<void> {
  const { socket, entered } = member;
  for (const room of Array.from(entered)) {
    if (await isOpenTo(settings, member, room)) continue;
    entered.delete(room);
    await socket.leave(room);
    socket.emit('left', { room });
  }
}
