import { signals } from '@signalbox/signals';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { heard } from '../../../test/support/heard.js';
import { emitterOn, linkTo, sharedFleet } from './fleet.js';
import { visit } from './nodes.js';

const fleet = sharedFleet();

/** Whether it has neither numbers that MessagePack has not, nor the one key that an object cannot have. */
function isCarried(value: unknown): boolean {
  return !/\d{19}|e\+|__proto__/.test(JSON.stringify(value) ?? '');
}

describe('a payload', () => {
  it('arrives as socket.io itself would have sent it, whatever it is', async () => {
    const visitor = await visit(fleet.two, { rooms: ['any'] });
    const emitter = emitterOn(linkTo(fleet.redis, 2_000));
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 5, stringUnit: 'binary' }),
      fc.object({ withDate: true, withNullPrototype: true, withSparseArray: true, withMap: true }),
    );
    let count = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(value.filter(isCarried), { minLength: 20, maxLength: 40 }),
        async (values) => {
          await Promise.all(values.map((each) => emitter.emit('any', 'value', each)));
          const before = count;
          count += values.length;
          const payloads = await visitor.hears(count);
          expect(payloads.slice(before)).toEqual(
            values.map((each) => JSON.parse(JSON.stringify(each) ?? 'null')),
          );
        },
      ),
      { numRuns: 10 },
    );
  });

  it('carries bytes of any kind beside data', async () => {
    const visitor = await visit(fleet.one, { rooms: ['bytes'] });
    const emitter = emitterOn(linkTo(fleet.redis));
    const bytes = Uint8Array.from([0, 1, 254, 255]);
    const words = Uint16Array.from([1, 65_535]);
    await emitter.emit('bytes', 'file', { name: 'a', bytes, words, buffer: bytes.buffer });
    expect(await visitor.hears(1)).toEqual([
      {
        name: 'a',
        bytes: Buffer.from(bytes),
        words: Buffer.from([1, 0, 255, 255]),
        buffer: Buffer.from(bytes),
      },
    ]);
  });

  it('may be several arguments, or none', async () => {
    const visitor = await visit(fleet.one, { rooms: ['many'] });
    const emitter = emitterOn(linkTo(fleet.redis));
    await emitter.emit('many', 'three', 1, [2], { three: 3 });
    await emitter.emit('many', 'none');
    await emitter.emit('many', 'undefined', undefined);
    await visitor.hears(3);
    expect(visitor.heard).toEqual([['three', 1, [2], { three: 3 }], ['none'], ['undefined', null]]);
  });

  it('is what it was at the time of the call', async () => {
    const visitor = await visit(fleet.one, { rooms: ['snapshot'] });
    const emitter = emitterOn(linkTo(fleet.redis));
    const payload = { count: 1, list: [1] };
    const sent = emitter.emit('snapshot', 'now', payload);
    payload.count = 2;
    payload.list.push(2);
    await sent;
    expect(await visitor.hears(1)).toEqual([{ count: 1, list: [1] }]);
  });

  it('of half characters is put right, in keys and names, too', async () => {
    const visitor = await visit(fleet.one, { rooms: ['half'] });
    const emitter = emitterOn(linkTo(fleet.redis));
    await emitter.emit('half', 'e\ud800e', { ['k\udc00k']: `${'x'.repeat(40)}\ud800y`, short: '\ud800y' });
    await visitor.hears(1);
    expect(visitor.heard).toEqual([
      ['e\ufffde', { 'k\ufffdk': `${'x'.repeat(40)}\ufffdy`, short: '\ufffdy' }],
    ]);
  });

  const itself: { self?: unknown } = {};
  itself.self = { deep: [itself] };
  const deep = Array.from({ length: 101 }).reduce<unknown>((inner) => [inner], 'x');

  it.each<[string, unknown, string]>([
    ['a function', () => 1, 'acknowledgements do not come back through Redis, got a function'],
    ['a function in a list', [() => 1], 'acknowledgements do not come back through Redis, got a function'],
    ['a bigint', { n: 1n }, 'what JSON can hold, or bytes, got a bigint'],
    ['a symbol', Symbol('x'), 'what JSON can hold, or bytes, got a symbol'],
    ['itself', itself, 'free of references to itself, got an object'],
    ['lists in lists without end', deep, 'nested less than 100 deep, got an object'],
    ['a number that MessagePack cannot hold', 1e30, 'made of numbers below 2^63, got a number'],
    ['more bytes than are allowed', Buffer.alloc(1_000_001), 'at most 1000000 bytes'],
    ['more text than is allowed', 'x'.repeat(1_000_001), 'at most 1000000 bytes'],
  ])('that is %s is refused, and nothing is published', async (_what, payload, words) => {
    const emitted = heard(signals.emitted);
    const visitor = await visit(fleet.one, { rooms: ['refused'] });
    const emitter = emitterOn(linkTo(fleet.redis));
    const refused = emitter.emit('refused', 'x', payload);
    await expect(refused).rejects.toThrow(TypeError);
    await expect(refused).rejects.toThrow(words);
    await emitter.emit('refused', 'end');
    await visitor.hears(1);
    expect(visitor.heard).toEqual([['end']]);
    expect(emitted).toEqual([{ event: 'end', outcome: 'ok' }]);
  });

  it('that holds one value more often than there is room for is refused before it is written out', async () => {
    const shared = Array.from({ length: 60 }).reduce<unknown>((inner) => [inner, inner], 'x');
    const emitter = emitterOn(linkTo(fleet.redis), { maxEventBytes: 10_000 });
    await expect(emitter.emit('r', 'x', shared)).rejects.toThrow(
      'emit: "payload" must be at most 10000 bytes',
    );
  });

  it('never stands in the words of an error', async () => {
    const emitter = emitterOn(linkTo(fleet.redis), { maxEventBytes: 100 });
    const message = await emitter.emit('r', 'x', 'the secret '.repeat(20)).catch(String);
    expect(message).toBe('TypeError: emit: "payload" must be at most 100 bytes');
  });

  it('that throws when it is read rejects with what it throws', async () => {
    const emitter = emitterOn(linkTo(fleet.redis));
    const broken = {
      toJSON(): unknown {
        throw new RangeError('broken');
      },
    };
    await expect(emitter.emit('r', 'x', broken)).rejects.toThrow(new RangeError('broken'));
  });
});
