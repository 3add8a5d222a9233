import { Redis } from 'ioredis';
import { Server } from 'socket.io';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import { startFaultProxy } from '../../../test/support/fault-proxy.js';
import { connectedClient } from '../../../test/support/redis-client.js';
import { pythonEvents, type PythonEvents, type PythonEventsOptions } from '../src/index.js';
import { linkTo, sharedFleet } from './fleet.js';
import { visit } from './nodes.js';
import { python, requirePythonSocketio } from './python.js';

const fleet = sharedFleet({ namespaces: ['/', '/admin', '/closed'] });
const refused: string[] = [];
let client: Redis;
let heard: readonly PythonEvents[] = [];

beforeAll(async () => {
  await requirePythonSocketio();
  client = new Redis(fleet.redis.port);
  const options: PythonEventsOptions = { redis: client, namespaces: ['/', 'admin'] };
  heard = [
    pythonEvents(fleet.one.io, { ...options, onRefused: ({ message }) => void refused.push(message) }),
    pythonEvents(fleet.two.io, { ...options, onRefused: () => undefined }),
  ];
  await eventually(async () => (await listenersOn('socketio')) === 1);
}, 180_000);
afterAll(() => {
  for (const each of heard) each.close();
  client.disconnect();
});

/** How many connections listen on a channel; both servers share one here. */
async function listenersOn(channel: string): Promise<number> {
  const [, count] = (await client.pubsub('NUMSUB', channel)) as [string, number];
  return count;
}

/** Runs statements of Python that have the `manager` of a process without a server. */
function managed(statements: string): Promise<string> {
  const program = `import sys, socketio\nmanager = socketio.RedisManager(sys.argv[1], write_only=True)\n${statements}`;
  return python(program, fleet.redis.url);
}

describe('python-socketio', { timeout: 60_000 }, () => {
  it('reaches rooms on every node, one socket, namespaces, and everybody', async () => {
    const [one, two, admin, other, closed] = await Promise.all([
      visit(fleet.one, { rooms: ['lobby'] }),
      visit(fleet.two, { rooms: ['lobby', '17'] }),
      visit(fleet.two, { namespace: '/admin', rooms: ['lobby'] }),
      visit(fleet.one),
      visit(fleet.one, { namespace: '/closed', rooms: ['lobby'] }),
    ]);
    await managed(`
manager.emit('hello', {'name': 'Ada', 'list': [1, 2.5, None, True], 'pair': (1, 2), 3: 'three'}, room='lobby')
manager.emit('number', 1, room=17)
manager.emit('secret', 'x', namespace='/admin')
manager.emit('closed', 'x', namespace='/closed')
manager.emit('not you', None, room='lobby', skip_sid='${one.id}')
manager.emit('you', 'alone', room='${other.id}')
manager.emit('several', (1, 'two', [3]), room=['lobby'])
manager.emit('bytes', {'data': b'\\x00\\xff'}, room='lobby')
manager.emit('end', None)
manager.emit('end', None, namespace='/admin')
`);
    await eventually(() => [one, two, admin, other].every((each) => each.heard.at(-1)?.[0] === 'end'));
    const hello = ['hello', { name: 'Ada', list: [1, 2.5, null, true], pair: [1, 2], 3: 'three' }];
    const rest = [['several', 1, 'two', [3]], ['bytes', { data: Buffer.from([0, 255]) }], ['end']];
    expect(one.heard).toEqual([hello, ...rest]);
    expect(two.heard).toEqual([hello, ['number', 1], ['not you'], ...rest]);
    expect(admin.heard).toEqual([['secret', 'x'], ['end']]);
    expect(other.heard).toEqual([['you', 'alone'], ['end']]);
    expect(closed.heard).toEqual([]);
    expect(refused).toEqual([]);
  });

  it('disconnects a socket, and closes a room', async () => {
    const [gone, stays] = await Promise.all([
      visit(fleet.one),
      visit(fleet.two, { rooms: ['closing', 'open'] }),
    ]);
    await managed(`
manager.disconnect('${gone.id}', '/')
manager.close_room('closing', '/')
manager.emit('closing', 1, room='closing')
manager.emit('open', 2, room='open')
`);
    await eventually(() => !gone.socket.connected);
    await stays.hears(1);
    expect(stays.heard).toEqual([['open', 2]]);
  });

  it('is heard in JSON as well, as it speaks from 5.14 on', async () => {
    const visitor = await visit(fleet.one, { rooms: ['json'] });
    const say = (message: object): Promise<number> =>
      client.publish(
        'socketio',
        JSON.stringify({ method: 'emit', namespace: '/', room: 'json', ...message }),
      );
    await say({ event: 'one', data: [{ a: 1 }], binary: false });
    await say({ event: 'two', data: [1, 2], binary: false });
    await say({ event: 'none', data: [null], binary: false });
    const placeholder = { _placeholder: true, num: 0 };
    await say({ event: 'bytes', data: [[{ file: placeholder }], 'AP8='], binary: true });
    await say({ event: 'early', data: { a: 1 } });
    await client.publish('socketio', JSON.stringify({ method: 'enter_room', sid: visitor.id, room: 'more' }));
    await say({ event: 'more', data: [1], binary: false, room: 'more' });
    await client.publish('socketio', JSON.stringify({ method: 'leave_room', sid: visitor.id, room: 'json' }));
    await say({ event: 'left', data: [1], binary: false });
    await say({ event: 'end', data: [1], binary: false, room: 'more' });
    await eventually(() => visitor.heard.at(-1)?.[0] === 'end');
    expect(visitor.heard).toEqual([
      ['one', { a: 1 }],
      ['two', 1, 2],
      ['none'],
      ['bytes', { file: Buffer.from([0, 255]) }],
      ['early', { a: 1 }],
      ['more', 1],
      ['end', 1],
    ]);
  });

  it('that says what nobody can pass on is passed over, and the servers go on', async () => {
    const visitor = await visit(fleet.one, { rooms: ['after'] });
    refused.length = 0;
    await managed(`
import datetime, pickle
loop = []; loop.append(loop)
class Evil:
    def __reduce__(self): return (print, ('run',))
manager.emit('loop', loop, room='after')
manager.emit('time', datetime.datetime.now(), room='after')
manager.emit('evil', Evil(), room='after')
manager.emit('set', {1, 2}, room='after')
manager.emit('large', 1 << 2000, room='after')
manager.emit('disconnect', 1, room='after')
manager.emit('', 1, room='after')
manager.emit('callback', 1, room='after', callback=None)
for message in [b'', b'x', b'{', b'[]', b'null', b'{"method":"emit"}', pickle.dumps(7), pickle.dumps({'method': 'emit'})[:-3],
                pickle.dumps({'method': 'unknown'}), pickle.dumps({'method': 'disconnect', 'sid': None}), b'x' * 1000001]:
    manager.redis.publish('socketio', message)
manager.emit('end', None, room='after')
`);
    await eventually(() => visitor.heard.at(-1)?.[0] === 'end');
    expect(visitor.heard).toEqual([['callback', 1], ['end']]);
    expect(refused).toEqual([
      'emit: "payload" must be free of references to itself, got an object',
      'the pickle must be made of data only, not of opcode 0x93',
      'the pickle must be made of data only, not of opcode 0x93',
      'the pickle must be made of data only, not of opcode 0x8f',
      'the pickle must be made of integers that a number can come near',
      '"disconnect" is a reserved event name',
      '"event" of a message must be text',
      'the pickle must be whole',
      'the pickle must be made of data only, not of opcode 0x78',
      expect.stringContaining('JSON') as string,
      'the pickle must be made of data only, not of opcode 0x5b',
      'the pickle must be made of data only, not of opcode 0x6e',
      '"event" of a message must be text',
      'a message must be a dict',
      'the pickle must be whole',
      '"sid" of a message must be text',
      'a message must be at most 1000000 bytes',
    ]);
  });
});

describe('pythonEvents', () => {
  it('listens again after its connection was lost, until it is closed', async () => {
    const proxy = await startFaultProxy({ to: fleet.redis.port });
    onTestFinished(() => proxy.stop());
    const visitor = await visit(fleet.one, { namespace: '/admin', rooms: ['again'] });
    const redis = linkTo(proxy);
    const events = pythonEvents(fleet.one.io, { redis, channel: 'other', namespaces: ['/admin'] });
    const message = { method: 'emit', namespace: '/admin', event: 'again', data: [1], binary: false };
    for (let round = 1; round <= 2; round += 1) {
      await eventually(async () => (await listenersOn('other')) === 1);
      await client.publish('other', JSON.stringify(message));
      await visitor.hears(round);
      await proxy.reset();
      await eventually(async () => (await listenersOn('other')) === 0);
      await proxy.pass();
    }
    await eventually(async () => (await listenersOn('other')) === 1);
    events.close();
    events.close();
    await eventually(async () => (await listenersOn('other')) === 0);
  });

  it('warns of the first message that it passes over', async () => {
    const warnings: string[] = [];
    const onWarning = ({ message }: Error): void => void warnings.push(message);
    process.on('warning', onWarning);
    onTestFinished(() => void process.off('warning', onWarning));
    const events = pythonEvents(fleet.one.io, {
      redis: await connectedClient(fleet.redis.port),
      channel: 'bad',
    });
    onTestFinished(() => events.close());
    await eventually(async () => (await listenersOn('bad')) === 1);
    for (const message of ['{"method":"emit"}', '{', '{']) await client.publish('bad', message);
    await eventually(() => warnings.length > 0);
    await client.ping();
    expect(warnings).toEqual(['pythonEvents passed over a message: "event" of a message must be text']);
  });

  it('refuses what is no server', () => {
    expect(() => pythonEvents(undefined as never, { redis: client })).toThrow(
      'pythonEvents: "io" must be an object',
    );
    expect(() => pythonEvents({} as never, { redis: client })).toThrow(
      'pythonEvents: "io" must be a Server of socket.io, got an object',
    );
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['a slip of the pen', { chanel: 'x' }, '"chanel" is not an option; did you mean "channel"?'],
    ['no client', { redis: 'redis://h' }, '"redis" must be an object, got "redis://h"'],
    ['no channel', { channel: '' }, '"channel" must be a non-empty string, got ""'],
    ['no namespaces', { namespaces: [] }, '"namespaces" must be a list of namespaces, got an array'],
    ['a namespace without a name', { namespaces: [''] }, '"namespaces" must be a non-empty string, got ""'],
    ['no size', { maxEventBytes: 0 }, '"maxEventBytes" must be an integer of at least 1, got 0'],
    ['nobody to tell', { onRefused: true }, '"onRefused" must be a function, got true'],
  ])('refuses %s among the options', (_what, options, words) => {
    const wrong = { redis: client, ...options } as PythonEventsOptions;
    expect(() => pythonEvents(new Server(), wrong)).toThrow(
      new RegExp(`^pythonEvents: ${words.replace('?', '\\?')}`),
    );
  });
});
