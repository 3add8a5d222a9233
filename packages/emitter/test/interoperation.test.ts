import { Emitter } from '@socket.io/redis-emitter';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import { connectedClient } from '../../../test/support/redis-client.js';
import { emitterOn, linkTo, sharedFleet } from './fleet.js';
import { visit } from './nodes.js';

const fleet = sharedFleet({ namespaces: ['/', '/admin'] });

/** Every message on the channels of Socket.IO, as it is. */
async function wiretap(): Promise<[channel: string, body: string][]> {
  const tap = new Redis(fleet.redis.port);
  onTestFinished(() => tap.disconnect());
  const messages: [string, string][] = [];
  tap.on('pmessageBuffer', (_pattern: unknown, channel: Buffer, body: Buffer) => {
    messages.push([channel.toString(), body.toString('latin1')]);
  });
  await tap.psubscribe('socket.io*');
  return messages;
}

const room = fc.string({ minLength: 1, maxLength: 8 });
const rooms = fc.uniqueArray(room, { minLength: 1, maxLength: 3 });

describe('beside the standard emitter', () => {
  it('says the same, byte for byte', async () => {
    const messages = await wiretap();
    const ours = emitterOn(linkTo(fleet.redis, 5_000));
    const client = await connectedClient(fleet.redis.port);
    const theirs = new Emitter(client);
    await fc.assert(
      fc.asyncProperty(rooms, rooms, fc.string({ minLength: 1 }), async (to, not, text) => {
        messages.length = 0;
        await ours.to(to).except(not).emit('e', { text }, 1, null);
        await ours.of('/x').to(to).volatile.emit('e');
        await ours.to(to).joinSockets(not);
        await ours.to(to).except(not).leaveSockets(to);
        await ours.to(to).disconnectSockets({ close: true });
        await ours.toAll().disconnectSockets();

        theirs.to(to).except(not).emit('e', { text }, 1, null);
        theirs.of('/x').to(to).volatile.emit('e');
        theirs.to(to).socketsJoin(not);
        theirs.to(to).except(not).socketsLeave(to);
        theirs.to(to).disconnectSockets(true);
        theirs.disconnectSockets();
        await client.ping();

        await eventually(() => messages.length === 12);
        expect(messages.slice(0, 6)).toEqual(messages.slice(6));
      }),
      { numRuns: 20 },
    );
  });

  it('serves the same visitors', async () => {
    const visitor = await visit(fleet.one, { namespace: '/admin', rooms: ['r'] });
    const theirs = new Emitter(await connectedClient(fleet.redis.port));
    const ours = emitterOn(linkTo(fleet.redis));
    theirs.of('/admin').to('r').emit('hello', { from: 'theirs' });
    await visitor.hears(1);
    await ours.of('/admin').emit('r', 'hello', { from: 'ours' });
    expect(await visitor.hears(2)).toEqual([{ from: 'theirs' }, { from: 'ours' }]);
  });
});
