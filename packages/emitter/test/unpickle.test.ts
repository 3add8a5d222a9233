import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { plainArguments } from '../src/payload.js';
import { Tuple, unpickle } from '../src/python/unpickle.js';
import { python, requirePythonSocketio } from './python.js';

beforeAll(() => requirePythonSocketio(), 180_000);

describe('unpickle', { timeout: 60_000 }, () => {
  it('reads whatever data Python has written, in each protocol of Python 3', async () => {
    const values = fc.sample(
      fc.oneof(fc.jsonValue({ maxDepth: 4 }), fc.array(fc.integer()), fc.string({ maxLength: 400 })),
      200,
    );
    // The same value twice is written once, and referred to.
    const program = `
import json, pickle, sys
for value in json.loads(sys.argv[1]):
    for protocol in (2, 3, 4, 5):
        print(pickle.dumps([value, value], protocol).hex())
`;
    const lines = (await python(program, JSON.stringify(values))).trim().split('\n');
    expect(lines).toHaveLength(values.length * 4);
    for (const [index, line] of lines.entries()) {
      const value = values[Math.floor(index / 4)];
      const read = plainArguments([unpickle(Buffer.from(line, 'hex'))], 1_000_000);
      const expected: unknown = JSON.parse(JSON.stringify([[value, value]]));
      expect(read).toEqual(expected);
    }
  });

  it('knows numbers of every size, tuples and bytes', async () => {
    const program = `
import pickle
data = [0, -1, 255, 256, 65535, 65536, -2147483648, 2147483648, -2**53, 2**53, 2**62, 2**100, -2**100, 1.5, float('inf'),
        (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), b'', b'x' * 300, bytearray(b'ab'), 'x' * 70000, {1: 'a', None: 'b', True: 'c'}]
print(pickle.dumps(data, 5).hex())
`;
    const read = unpickle(Buffer.from((await python(program)).trim(), 'hex'));
    expect(read).toEqual([
      0,
      -1,
      255,
      256,
      65_535,
      65_536,
      -2_147_483_648,
      2_147_483_648,
      -(2 ** 53),
      2 ** 53,
      2 ** 62,
      2 ** 100,
      -(2 ** 100),
      1.5,
      Infinity,
      new Tuple([]),
      new Tuple([1]),
      new Tuple([1, 2]),
      new Tuple([1, 2, 3]),
      new Tuple([1, 2, 3, 4]),
      Buffer.alloc(0),
      Buffer.from('x'.repeat(300)),
      Buffer.from('ab'),
      'x'.repeat(70_000),
      { 1: 'c', null: 'b' },
    ]);
  });

  it('refuses what would name a class, call a function, or is no pickle, and never does anything else', async () => {
    const program = `
import pickle, collections, decimal
class Evil:
    def __reduce__(self): return (print, ('run',))
for value in (Evil(), print, decimal.Decimal(1), collections.OrderedDict(a=1), {1}, frozenset({1}), 1j, 2**2000):
    for protocol in (0, 2, 5):
        print(pickle.dumps(value, protocol).hex())
`;
    for (const line of (await python(program)).trim().split('\n')) {
      expect(() => unpickle(Buffer.from(line, 'hex'))).toThrow(/^the pickle must be /);
    }
  });

  it('of any bytes at all ends, with data or a TypeError', () => {
    const opcodes = fc.constantFrom(
      ...Buffer.from(')](}tuasehjqr0.NKMJGXCB\x85\x86\x87\x88\x89\x8a\x8c\x94', 'latin1'),
    );
    const bytes = fc.array(fc.oneof(opcodes, fc.nat({ max: 255 })), { maxLength: 60 });
    fc.assert(
      fc.property(bytes, (code) => {
        try {
          unpickle(Buffer.from([0x80, 4, ...code, 0x2e]));
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
