/** A Python tuple. As the data of an event it is several arguments; elsewhere it is a list. */
export class Tuple {
  constructor(readonly items: readonly unknown[]) {}

  toJSON(): readonly unknown[] {
    return this.items;
  }
}

/** Beyond that is no number but infinity. */
const MAX_INTEGER_BYTES = 128;

/**
 * Reads what `pickle.dumps` of Python 3 makes of data: dicts, lists, tuples, text, numbers, bytes, None. Whatever would
 * name a class or call a function is refused; nothing that a message says is ever run. Lists and dicts may contain
 * themselves, as in Python.
 *
 * Opcodes: https://github.com/python/cpython/blob/main/Lib/pickletools.py
 *
 * @throws {TypeError} when it is anything else, or cut off
 */
export function unpickle(bytes: Buffer): unknown {
  return new Unpickler(bytes).load();
}

class Unpickler {
  private offset = 0;
  private stack: unknown[] = [];
  /** What lay below each mark that is open. */
  private readonly marked: unknown[][] = [];
  private readonly memo = new Map<number, unknown>();

  constructor(private readonly bytes: Buffer) {}

  load(): unknown {
    for (;;) {
      const code = this.uint(1);
      if (code === 0x2e /* STOP */) return this.pop();
      this.step(code);
    }
  }

  private step(code: number): void {
    switch (code) {
      case 0x80: // PROTO
        if (this.uint(1) > 5) throw wrong('of a protocol up to 5');
        return;
      case 0x95: // FRAME
        this.take(8);
        return;
      case 0x94: // MEMOIZE
        this.memo.set(this.memo.size, this.top());
        return;
      case 0x71: // BINPUT
        this.memo.set(this.uint(1), this.top());
        return;
      case 0x72: // LONG_BINPUT
        this.memo.set(this.uint(4), this.top());
        return;
      case 0x68: // BINGET
        return this.recall(this.uint(1));
      case 0x6a: // LONG_BINGET
        return this.recall(this.uint(4));
      case 0x28: // MARK
        this.marked.push(this.stack);
        this.stack = [];
        return;
      case 0x30: // POP
        this.pop();
        return;
      default:
        return this.stepContainer(code);
    }
  }

  private stepContainer(code: number): void {
    switch (code) {
      case 0x7d: // EMPTY_DICT
        return this.push({});
      case 0x5d: // EMPTY_LIST
        return this.push([]);
      case 0x29: // EMPTY_TUPLE
        return this.push(new Tuple([]));
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        return this.push(new Tuple(this.popMany(code - 0x84)));
      case 0x74: // TUPLE
        return this.push(new Tuple(this.popToMark()));
      case 0x61: // APPEND
        return this.append(this.popMany(1));
      case 0x65: // APPENDS
        return this.append(this.popToMark());
      case 0x73: // SETITEM
        return this.setItems(this.popMany(2));
      case 0x75: // SETITEMS
        return this.setItems(this.popToMark());
      default:
        return this.push(this.scalar(code));
    }
  }

  private scalar(code: number): unknown {
    switch (code) {
      case 0x4e: // NONE
        return null;
      case 0x88: // NEWTRUE
        return true;
      case 0x89: // NEWFALSE
        return false;
      case 0x4b: // BININT1
        return this.uint(1);
      case 0x4d: // BININT2
        return this.uint(2);
      case 0x4a: // BININT
        return this.take(4).readInt32LE();
      case 0x8a: // LONG1
        return this.long(this.uint(1));
      case 0x8b: // LONG4
        return this.long(this.uint(4));
      case 0x47: // BINFLOAT
        return this.take(8).readDoubleBE();
      case 0x8c: // SHORT_BINUNICODE
        return this.text(this.uint(1));
      case 0x58: // BINUNICODE
        return this.text(this.uint(4));
      case 0x8d: // BINUNICODE8
        return this.text(this.length8());
      case 0x43: // SHORT_BINBYTES
        return this.take(this.uint(1));
      case 0x42: // BINBYTES
        return this.take(this.uint(4));
      case 0x8e: // BINBYTES8
      case 0x96: // BYTEARRAY8
        return this.take(this.length8());
      default:
        throw wrong(`made of data only, not of opcode 0x${code.toString(16)}`);
    }
  }

  private take(length: number): Buffer {
    const end = this.offset + length;
    if (end > this.bytes.length) throw wrong('whole');
    const taken = this.bytes.subarray(this.offset, end);
    this.offset = end;
    return taken;
  }

  private uint(length: 1 | 2 | 4): number {
    return this.take(length).readUIntLE(0, length);
  }

  private length8(): number {
    return Number(this.take(8).readBigUInt64LE());
  }

  private text(length: number): string {
    return this.take(length).toString('utf8');
  }

  /** An integer in two's complement, its lowest byte first. JavaScript has none beyond 2^53 that are exact. */
  private long(length: number): number {
    if (length === 0) return 0;
    if (length > MAX_INTEGER_BYTES) throw wrong('made of integers that a number can come near');
    const digits = Buffer.from(this.take(length).toReversed()).toString('hex');
    return Number(BigInt.asIntN(length * 8, BigInt(`0x${digits}`)));
  }

  private push(value: unknown): void {
    this.stack.push(value);
  }

  private top(): unknown {
    if (this.stack.length === 0) throw wrong('well formed');
    return this.stack.at(-1);
  }

  private pop(): unknown {
    const value = this.top();
    this.stack.pop();
    return value;
  }

  private popMany(count: number): unknown[] {
    if (this.stack.length < count) throw wrong('well formed');
    return this.stack.splice(-count);
  }

  private popToMark(): unknown[] {
    const items = this.stack;
    const below = this.marked.pop();
    if (below === undefined) throw wrong('well formed');
    this.stack = below;
    return items;
  }

  private recall(index: number): void {
    if (!this.memo.has(index)) throw wrong('well formed');
    this.push(this.memo.get(index));
  }

  private append(items: readonly unknown[]): void {
    const list = this.top();
    if (!Array.isArray(list)) throw wrong('well formed');
    for (const item of items) list.push(item);
  }

  private setItems(items: readonly unknown[]): void {
    const dict = this.top();
    const isDict =
      typeof dict === 'object' && dict !== null && Object.getPrototypeOf(dict) === Object.prototype;
    if (!isDict || items.length % 2 !== 0) throw wrong('well formed');
    for (let index = 0; index < items.length; index += 2) {
      // Assigned, `__proto__` would be no key.
      Object.defineProperty(dict, keyOf(items[index]), {
        value: items[index + 1],
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
  }
}

/** As Python's `json` writes keys that are no text. */
function keyOf(key: unknown): string {
  if (typeof key === 'string') return key;
  if (key === null || typeof key === 'number' || typeof key === 'boolean') return String(key);
  throw wrong('made of dicts whose keys are text');
}

function wrong(wanted: string): TypeError {
  return new TypeError(`the pickle must be ${wanted}`);
}
