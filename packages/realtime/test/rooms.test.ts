import { describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import { ask, byName, enter, everything, heard, open, refused } from './stage.js';

describe('rooms', () => {
  it('are entered by those who may, and hear what is said there', async () => {
    const { url, live } = await open({
      authenticate: byName,
      rooms: async (room, { subject }) => room === 'news' || room === `home:${subject}`,
    });
    const ada = await enter(url, { auth: { token: 'ada' } });
    const bob = await enter(url, { auth: { token: 'bob' } });
    const joined = heard(ada, 'joined');
    expect(await ask(ada, 'join', { room: 'news' })).toEqual({ room: 'news' });
    expect(await joined).toEqual({ room: 'news' });
    await ask(ada, 'join', { room: 'home:ada' });
    expect(await refused(bob, 'join', { room: 'home:ada' })).toMatchObject({
      code: 403,
      type: 'room_forbidden',
    });

    const toAda = everything(ada);
    const toBob = everything(bob);
    live.to('home:ada', 'news').emit('hello', { to: 'ada' });
    live.emit('everybody', {});
    live.to().emit('nobody', {});
    live.to().except('news').emit('nobody', {});
    live.toSubject('bob').emit('bob', {});
    live.to('news').except('home:ada').emit('nobody', {});
    await eventually(() => toBob.length === 2 && toAda.length === 2);
    expect(toAda.map(({ event }) => event)).toEqual(['hello', 'everybody']);
    expect(toBob.map(({ event }) => event)).toEqual(['everybody', 'bob']);
    expect(live.report()).toMatchObject({ sockets: 2, subjects: 2, rooms: 4 });

    expect(await ask(ada, 'leave', { room: 'news' })).toEqual({ room: 'news' });
    live.to('news').emit('gone', {});
    live.emit('last', {});
    await eventually(() => toAda.at(-1)?.event === 'last');
    expect(toAda.some(({ event }) => event === 'gone')).toBe(false);
  });

  it('are left for good by who leaves before it was in: the last word counts', async () => {
    const answers: (() => void)[] = [];
    const { url, live } = await open({
      anonymous: true,
      rooms: () => new Promise<boolean>((resolve) => answers.push(() => resolve(true))),
    });
    const socket = await enter(url);
    const told = everything(socket);
    const joined = ask(socket, 'join', { room: 'news' });
    await ask(socket, 'leave', { room: 'news' });
    answers[0]?.();
    expect(await joined).toEqual({ room: 'news' });
    expect(live.report().rooms).toBe(0);

    // One that enters, leaves and enters is in.
    const first = ask(socket, 'join', { room: 'news' });
    await ask(socket, 'leave', { room: 'news' });
    const second = ask(socket, 'join', { room: 'news' });
    await eventually(() => answers.length === 3);
    answers[2]?.();
    await second;
    answers[1]?.();
    await first;
    expect(live.report().rooms).toBe(1);
    expect(told).toEqual([{ event: 'joined', payload: { room: 'news' } }]);
  });

  it('are closed unless the app opens them', async () => {
    const { url } = await open({ authenticate: byName });
    const ada = await enter(url, { auth: { token: 'ada' } });
    expect((await refused(ada, 'join', { room: 'news' })).type).toBe('room_forbidden');
  });

  it('of sockets and subjects stay their own, whatever the app allows', async () => {
    const { url, live } = await open({ authenticate: byName, rooms: () => true });
    const ada = await enter(url, { auth: { token: 'ada' } });
    const eve = await enter(url, { auth: { token: 'eve' } });
    for (const room of [String(ada.id), String(eve.id), 'signalbox:subject:ada']) {
      expect((await refused(eve, 'join', { room })).type).toBe('room_forbidden');
    }
    const toEve = everything(eve);
    // Nor may it leave them, which would make it deaf to what ends it.
    await ask(eve, 'leave', { room: 'signalbox:subject:eve' });
    live.toSubject('ada').emit('secret', {});
    live.toSubject('eve').emit('done', {});
    await eventually(() => toEve.length === 1);
    expect(toEve[0]?.event).toBe('done');
  });

  it.for([
    undefined,
    null,
    7,
    {},
    { room: '' },
    { room: 7 },
    { room: ['a'] },
    { room: 'a\0b' },
    { room: 'x'.repeat(201) },
  ])('have names: %j is none', async (payload) => {
    const { url } = await open({ anonymous: true, rooms: () => true });
    const socket = await enter(url);
    expect(await refused(socket, 'join', payload)).toMatchObject({
      code: 422,
      type: 'validation_failed',
      details: [{ in: 'payload', pointer: '/room' }],
    });
  });

  it('are nothing any more of a socket that has gone, nor is it kept itself', async () => {
    const { url, live } = await open({ authenticate: byName, rooms: () => true });
    for (const user of ['ada', 'bob']) {
      const socket = await enter(url, { auth: { token: user } });
      await ask(socket, 'join', { room: 'news' });
      socket.disconnect();
    }
    await eventually(() => live.report().connections === 0);
    // Socket.IO lists who connects by the id that a socket has at first.
    const connecting: unknown = Reflect.get(live.io.of('/'), '_preConnectSockets');
    expect(connecting).toEqual(new Map());
    expect(live.report()).toMatchObject({ sockets: 0, rooms: 0 });
  });

  it('are so many for each socket, also when asked for all at once', async () => {
    const { url, live } = await open({
      anonymous: true,
      maxRoomsPerSocket: 5,
      rooms: async () => new Promise<boolean>((resolve) => setImmediate(resolve, true)),
    });
    const socket = await enter(url);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        ask<{ error?: { type: string } }>(socket, 'join', { room: `r${index}` }),
      ),
    );
    expect(answers.filter(({ error }) => error === undefined)).toHaveLength(5);
    expect(answers.filter(({ error }) => error?.type === 'too_many_rooms')).toHaveLength(15);
    expect(live.report().rooms).toBe(5);
  });

  it('turn a flood of joins away', async () => {
    const { url, live } = await open({ anonymous: true, rooms: () => true, flood: '10000/s burst 10000' });
    const socket = await enter(url);
    const answers = await Promise.all(
      Array.from({ length: 1_000 }, (_, index) =>
        ask<{ error?: { type: string } }>(socket, 'join', { room: `r${index}` }),
      ),
    );
    const types = new Set(answers.map(({ error }) => error?.type ?? 'entered'));
    for (const type of types) {
      expect(['entered', 'rate_limited', 'too_many_in_flight', 'too_many_rooms']).toContain(type);
    }
    expect(answers.filter(({ error }) => error === undefined).length).toBeLessThanOrEqual(100);
    expect(live.report().rooms).toBeLessThanOrEqual(100);
    expect(await ask(await enter(url), 'join', { room: 'free' })).toEqual({ room: 'free' });
  });

  it('of one process have all sockets that there are', async () => {
    const { url, live } = await open({ authenticate: byName, rooms: () => true });
    const ada = await enter(url, { auth: { token: 'ada' } });
    await enter(url, { auth: { token: 'bob' } });
    await ask(ada, 'join', { room: 'news' });
    expect(await live.fetchSockets({ room: 'news' })).toMatchObject({
      sockets: [{ id: ada.id, subject: 'ada', rooms: ['news'] }],
      partial: false,
      nodes: 1,
    });
  });
});
