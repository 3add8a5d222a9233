import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import { redisClient } from '../../../test/support/redis-client.js';
import { externalEmitter } from '../src/index.js';
import { emitterOn, linkTo, sharedFleet } from './fleet.js';
import { visit, type Visitor } from './nodes.js';

const fleet = sharedFleet({ namespaces: ['/', '/admin'] });

/** Everybody hears this last, so that what has not come by then does not come. */
async function untilAllHeard(visitors: readonly Visitor[], send: () => Promise<unknown>): Promise<void> {
  await send();
  await eventually(() => visitors.every(({ heard }) => heard.at(-1)?.[0] === 'end'));
}

describe('externalEmitter', () => {
  it('reaches a room on every node, and says how many servers listen', async () => {
    const visitors = await Promise.all([
      visit(fleet.one, { rooms: ['lobby'] }),
      visit(fleet.two, { rooms: ['lobby'] }),
      visit(fleet.two),
    ]);
    const emitter = emitterOn(linkTo(fleet.redis));
    expect(await emitter.emit('lobby', 'hello', { name: 'Ada' })).toEqual({ outcome: 'ok', servers: 2 });
    await untilAllHeard(visitors, () => emitter.toAll().emit('end'));
    expect(visitors.map(({ heard }) => heard)).toEqual([
      [['hello', { name: 'Ada' }], ['end']],
      [['hello', { name: 'Ada' }], ['end']],
      [['end']],
    ]);
  });

  it('waits for the first connection, so that a script may speak at once', async () => {
    const visitor = await visit(fleet.one, { rooms: ['early'] });
    const link = linkTo(fleet.redis);
    expect(link.state).toBe('connecting');
    const emitter = emitterOn(link);
    await Promise.all(Array.from({ length: 20 }, (_each, index) => emitter.emit('early', 'n', index)));
    expect(await visitor.hears(20)).toEqual(Array.from({ length: 20 }, (_each, index) => index));
  });

  it('takes an ioredis client, and leaves it open', async () => {
    const client = redisClient(fleet.redis.port);
    const emitter = externalEmitter({ redis: client });
    expect(await emitter.emit('nobody', 'hello')).toMatchObject({ outcome: 'ok' });
    await emitter.close();
    expect(await client.ping()).toBe('PONG');
  });

  it('finds the channel also where the client has a prefix for keys', async () => {
    const client = new Redis(fleet.redis.port, { keyPrefix: 'app:' });
    for (const queue of [undefined, {}]) {
      const emitter = externalEmitter({ redis: client, queue });
      expect(await emitter.emit('nobody', 'hello')).toEqual({ outcome: 'ok', servers: 2 });
      await emitter.close();
    }
    client.disconnect();
  });

  it('reaches the sockets of several rooms, each once, but not those of others', async () => {
    const visitors = await Promise.all([
      visit(fleet.one, { rooms: ['red', 'blue'] }),
      visit(fleet.two, { rooms: ['blue'] }),
      visit(fleet.one, { rooms: ['red', 'muted'] }),
      visit(fleet.two),
    ]);
    const emitter = emitterOn(linkTo(fleet.redis));
    await emitter.to('red').to(['blue', 'red']).except('muted').emit('paint', 1);
    await emitter.toAll().except(['red', 'blue']).emit('others', 2);
    await emitter.to('muted').volatile.emit('volatile', 3);
    await untilAllHeard(visitors, () => emitter.toAll().emit('end'));
    expect(visitors.map(({ heard }) => heard.map(([event]) => event))).toEqual([
      ['paint', 'end'],
      ['paint', 'end'],
      ['volatile', 'end'],
      ['others', 'end'],
    ]);
  });

  it('reaches one socket by its id, and clients that poll', async () => {
    const polling = await visit(fleet.one, { transport: 'polling' });
    const other = await visit(fleet.one);
    const emitter = emitterOn(linkTo(fleet.redis));
    await emitter.emit(polling.id, 'you', 'alone');
    await untilAllHeard([polling, other], () => emitter.toAll().emit('end'));
    expect(polling.heard).toEqual([['you', 'alone'], ['end']]);
    expect(other.heard).toEqual([['end']]);
  });

  it('speaks to one namespace, and through of() to others', async () => {
    const plain = await visit(fleet.one, { rooms: ['r'] });
    const admin = await visit(fleet.two, { namespace: '/admin', rooms: ['r'] });
    const emitter = emitterOn(linkTo(fleet.redis));
    expect(emitter.namespace).toBe('/');
    expect(emitter.of('admin').namespace).toBe('/admin');
    await emitter.of('admin').emit('r', 'secret', 1);
    await emitter.of('/admin').toAll().emit('end');
    await untilAllHeard([plain, admin], () => emitter.emit('r', 'end'));
    expect(plain.heard).toEqual([['end']]);
    expect(admin.heard).toEqual([['secret', 1], ['end']]);

    const direct = emitterOn(linkTo(fleet.redis), { namespace: 'admin' });
    await direct.emit('r', 'again');
    await admin.hears(3);
    expect(await emitter.of('/nobody').emit('r', 'x')).toEqual({ outcome: 'ok', servers: 0 });
  });

  it('makes sockets of all nodes join and leave rooms, and disconnects them', async () => {
    const visitors = await Promise.all([
      visit(fleet.one, { rooms: ['staff'] }),
      visit(fleet.two, { rooms: ['staff', 'night'] }),
      visit(fleet.two),
    ]);
    const [day, night, guest] = visitors;
    const emitter = emitterOn(linkTo(fleet.redis));
    expect(await emitter.joinSockets('staff', ['meeting', 'lunch'])).toEqual({ outcome: 'ok', servers: 2 });
    await emitter.emit('lunch', 'joined');
    await emitter.leaveSockets('night', 'meeting');
    await emitter.emit('meeting', 'meeting');
    await emitter.to('staff').except('night').leaveSockets('staff');
    await emitter.emit('staff', 'staff');
    await untilAllHeard(visitors, () => emitter.toAll().emit('end'));
    expect(visitors.map(({ heard }) => heard.map(([event]) => event))).toEqual([
      ['joined', 'meeting', 'end'],
      ['joined', 'staff', 'end'],
      ['end'],
    ]);

    // Each has a second namespace on its connection, which stays unless the connection is closed.
    const seconds = [day, night].map((each) => each?.socket.io.socket('/admin').connect());
    await eventually(() => seconds.every((second) => second?.connected));
    await emitter.to('meeting').disconnectSockets();
    await emitter.disconnectSockets(night?.id ?? '', { close: true });
    await eventually(() => !day?.socket.connected && !night?.socket.connected && !seconds[1]?.connected);
    expect([seconds[0]?.connected, guest?.socket.connected]).toEqual([true, true]);
    seconds.forEach((second) => second?.disconnect());
  });

  it('emits the status of a search to those who follow it, and an alert to everybody', async () => {
    const follower = await visit(fleet.one, { rooms: ['search_status'] });
    const own = await visit(fleet.two, { rooms: ['user:1'] });
    const emitter = emitterOn(linkTo(fleet.redis));
    await emitter.emitSearchStatus('signal boxes', 'progress', { resultsCount: 7 });
    await emitter.emitSearchStatus('mine', 'complete', { room: 'user:1', progress: 1, stage: 'ranked' });
    await emitter.emitSystemAlert('warning', 'The disk is full');
    await emitter.emitSystemAlert('info', 'For you', { room: 'user:1' });
    await untilAllHeard([follower, own], () => emitter.toAll().emit('end'));

    const timestamp = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string;
    const alert = ['system_alert', { level: 'warning', message: 'The disk is full', timestamp }];
    expect(follower.heard).toEqual([
      ['search_status', { query: 'signal boxes', status: 'progress', resultsCount: 7, timestamp }],
      alert,
      ['end'],
    ]);
    expect(own.heard).toEqual([
      ['search_status', { query: 'mine', status: 'complete', progress: 1, stage: 'ranked', timestamp }],
      alert,
      ['system_alert', { level: 'info', message: 'For you', timestamp }],
      ['end'],
    ]);
  });

  it('keeps the order of one process, whoever calls', async () => {
    const visitor = await visit(fleet.two, { rooms: ['order'] });
    const emitter = emitterOn(linkTo(fleet.redis, 2_000));
    const numbers = Array.from({ length: 500 }, (_each, index) => index);
    await Promise.all(numbers.map((n) => (n % 2 === 0 ? emitter : emitter.of('/')).to('order').emit('n', n)));
    expect(await visitor.hears(500)).toEqual(numbers);
  });

  it('holds to the key of the adapter', async () => {
    const emitter = emitterOn(linkTo(fleet.redis), { key: 'other' });
    expect(await emitter.emit('r', 'x')).toEqual({ outcome: 'ok', servers: 0 });
  });
});
