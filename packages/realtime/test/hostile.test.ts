import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { startFaultProxy } from '../../../test/support/fault-proxy.js';
import { eventually } from '../../../test/support/eventually.js';
import { onTestFinished } from 'vitest';
import { ask, byName, enter, heard, open, rawSocket } from './stage.js';

const echo = { schema: z.unknown(), handler: (payload: unknown) => payload };

describe('what a client may send', () => {
  it.for([
    ['no packet of Engine.IO', 'abc'],
    ['no packet of Socket.IO', '4abc'],
    ['an event without a name', '42[]'],
    ['an event that is no list', '42{}'],
    ['broken JSON', '42["search"'],
    ['a reserved name', '42["disconnect"]'],
    ['an event before the handshake', '42["search",{}]'],
    ['an acknowledgement of nothing', '43999[]'],
    ['attachments without number', '45-["search",{"_placeholder":true,"num":0}]'],
    ['attachments without end', '4599999999-["search",{"_placeholder":true,"num":0}]'],
    ['a connection error', '44{"message":"x"}'],
    ['the ping of a server', '2'],
  ])('is no harm where it is garbage: %s', async ([, garbage = '']) => {
    const { url, live } = await open({ anonymous: true, events: { echo } });
    const other = await enter(url);
    for (const isIn of [false, true]) {
      const socket = await rawSocket(url);
      if (isIn) {
        socket.send('40');
        await eventually(() => live.report().sockets === 2);
      }
      socket.send(garbage);
      socket.send(Buffer.from([0xff, 0, 1]));
      if (socket.readyState === socket.OPEN) await Promise.race([once(socket, 'close'), sleep(50)]);
      socket.terminate();
      await eventually(() => live.report().connections === 1);
    }
    expect(await ask(other, 'echo', 'fine')).toBe('fine');
  });

  it('is no harm whatever it is', async () => {
    const { url, live } = await open({ anonymous: true, events: { echo }, log: { error: () => undefined } });
    const other = await enter(url);
    const packet = fc.oneof(
      fc.string(),
      fc.json().map((text) => `42["echo",${text}]`),
      fc.json().map((text) => `42${text}`),
      fc
        .tuple(fc.constantFrom('0', '1', '2', '3', '4', '5', '6'), fc.integer({ min: 0, max: 9 }), fc.json())
        .map(([type, number, text]) => `4${type}${number}${text}`),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(packet, { minLength: 1, maxLength: 5 }), async (packets) => {
        const socket = await rawSocket(url);
        socket.send('40');
        for (const each of packets) socket.send(each);
        socket.send('42["echo",1]');
        await Promise.race([once(socket, 'close'), sleep(10)]);
        socket.terminate();
      }),
      { numRuns: 40 },
    );
    expect(await ask(other, 'echo', 'fine')).toBe('fine');
    await eventually(() => live.report().connections === 1);
  });

  it('is so large: more ends the connection, over either transport', async () => {
    const { url, live } = await open({ anonymous: true, events: { echo }, maxPayloadBytes: 1_000 });
    const socket = await enter(url);
    expect(await ask(socket, 'echo', 'x'.repeat(900))).toHaveLength(900);
    socket.emit('echo', 'x'.repeat(1_100));
    expect(await heard(socket, 'disconnect')).toBe('transport close');

    const handshake = await (await fetch(`${url}/socket.io/?EIO=4&transport=polling`)).text();
    const { sid } = JSON.parse(handshake.slice(1)) as { sid: string };
    const poll = `${url}/socket.io/?EIO=4&transport=polling&sid=${sid}`;
    const large = await fetch(poll, { method: 'POST', body: `4${'x'.repeat(2_000)}` });
    expect(large.status).toBe(413);
    await eventually(() => live.report().sockets === 0);
  });

  it('comes so fast: a flood ends the connection', async () => {
    const { url, live } = await open({
      anonymous: true,
      events: { echo },
      flood: '10/s burst 50',
      maxInFlight: 1_000,
    });
    const socket = await enter(url);
    for (let index = 0; index < 40; index += 1) socket.emit('echo', index);
    expect(await ask(socket, 'echo', 'still here')).toBe('still here');
    for (let index = 0; index < 100; index += 1) socket.emit('echo', index);
    expect(await heard(socket, 'disconnect')).toBe('transport close');
    expect(live.report()).toMatchObject({ sockets: 0, refused: { flood: 1 } });
    await enter(url);
  });

  it('may contradict itself: of a parameter given twice none opens what the other would not', async () => {
    const { url } = await open({ anonymous: true, transports: 'websocket' });
    const statusOf = async (query: string): Promise<number> =>
      (await fetch(`${url}/socket.io/?${query}`)).status;
    expect(await statusOf('EIO=4&transport=websocket&transport=polling')).toBe(400);
    expect(await statusOf('EIO=4&transport=polling&transport=websocket')).toBe(400);
    expect(await statusOf('EIO=4&transport=__proto__')).toBe(400);
    expect(await statusOf('EIO=4&transport=polling&sid=__proto__')).toBe(400);
    expect(await statusOf('EIO=4&transport=polling&sid=')).toBe(400);
    expect(await statusOf('%zz&%00')).toBe(400);
  });
});

describe('a client that does not read', () => {
  it('is cut once too much waits for it, and the others are not', async () => {
    const { url, live } = await open({ anonymous: true, maxBufferedBytes: 500_000 });
    const good = await enter(url);
    const slow = connect(Number(new URL(url).port), '127.0.0.1');
    onTestFinished(() => void slow.destroy());
    slow.write(
      [
        'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1',
        'Host: 127.0.0.1',
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
        '\r\n',
      ].join('\r\n'),
    );
    await once(slow, 'readable');
    // "40" in a masked frame (RFC 6455 section 5.2); from here on it reads nothing.
    slow.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x34, 0x30]));
    slow.pause();
    await eventually(() => live.report().sockets === 2);

    let received = 0;
    good.on('data', () => (received += 1));
    let sent = 0;
    const before = process.memoryUsage().arrayBuffers;
    while (live.report().sockets === 2) {
      live.emit('data', { text: 'x'.repeat(50_000) });
      sent += 1;
      await sleep(1);
      if (sent > 2_000) throw new Error('it was not cut');
    }
    expect(live.report()).toMatchObject({ sockets: 1, connections: 1, refused: { slow_reader: 1 } });
    await eventually(() => received === sent);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50_000_000);
  });

  it('is cut also when all comes in one turn, and when it polls', async () => {
    const { url, live } = await open({ anonymous: true, maxBufferedBytes: 300_000 });
    const handshake = await (await fetch(`${url}/socket.io/?EIO=4&transport=polling`)).text();
    const { sid } = JSON.parse(handshake.slice(1)) as { sid: string };
    const poll = `${url}/socket.io/?EIO=4&transport=polling&sid=${sid}`;
    await fetch(poll, { method: 'POST', body: '40' });
    await eventually(() => live.report().sockets === 1);
    for (let index = 0; index < 20; index += 1) live.emit('data', 'x'.repeat(50_000));
    expect(live.report()).toMatchObject({ sockets: 0, connections: 0, refused: { slow_reader: 1 } });
    expect((await fetch(poll)).status).toBe(400);
  });
});

describe('a connection', () => {
  it('that is half open is found out by its silence', async () => {
    const { url, live } = await open({ anonymous: true, pingIntervalMs: 100, pingTimeoutMs: 1_000 });
    const proxy = await startFaultProxy({ to: Number(new URL(url).port) });
    onTestFinished(() => proxy.stop());
    const socket = await enter(`http://127.0.0.1:${proxy.port}`);
    await sleep(500);
    expect(socket.connected).toBe(true);
    await proxy.blackhole();
    await eventually(() => live.report().connections === 0);
  });
});

describe('a thousand clients', () => {
  it('that come back at once are let in, and the app answers meanwhile', { timeout: 60_000 }, async () => {
    const { url, live } = await open({
      authenticate: async (req, auth) => {
        await sleep(5);
        return byName(req, auth);
      },
      rooms: () => true,
    });
    let entered = 0;
    const comeBack = async (name: string): Promise<void> => {
      const socket = await rawSocket(url);
      socket.on('message', (data: Buffer) => {
        const text = data.toString();
        if (text.startsWith('42["connected"')) socket.send('420["join",{"room":"all"}]');
        if (text === '430[{"room":"all"}]') entered += 1;
      });
      socket.send(`40{"token":"${name}"}`);
    };
    const all = Promise.all(Array.from({ length: 1_000 }, (_, index) => comeBack(`user-${index}`)));
    let answered = 0;
    await eventually(async () => {
      expect((await fetch(url)).status).toBe(200);
      answered += 1;
      return entered === 1_000;
    }, 50_000);
    await all;
    expect(answered).toBeGreaterThan(1);
    expect(live.report()).toMatchObject({ sockets: 1_000, subjects: 1_000, refused: {} });
  });
});
