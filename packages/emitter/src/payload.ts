/** Nobody nests so deep on purpose; a server that passes it on would exhaust its stack. */
const MAX_DEPTH = 100;

/** From here on the integers of MessagePack end, and its encoder would write another number. */
export const MESSAGE_PACK_END: number = 2 ** 63;

const LONE_SURROGATE = /\p{Surrogate}/gu;

/**
 * Copies what follows an event's name as socket.io would send it: like JSON, but bytes stay bytes. What a server could
 * not pass on is refused here, where it is known who is to blame, and not there, where it would end the process.
 *
 * @param numberEnd numbers from here on are refused
 * @throws {TypeError} for functions, bigints, cycles, numbers that are too large, and more values than `maxBytes` can hold
 */
export function plainArguments(
  args: readonly unknown[],
  maxBytes: number,
  numberEnd: number = Infinity,
): unknown[] {
  const walk: Walk = { maxBytes, numberEnd, ancestors: new Set(), nodesLeft: maxBytes };
  return args.map((value) => plain(value, walk));
}

interface Walk {
  readonly maxBytes: number;
  readonly numberEnd: number;
  readonly ancestors: Set<object>;
  nodesLeft: number;
}

export function tooLarge(maxBytes: number): TypeError {
  return new TypeError(`emit: "payload" must be at most ${maxBytes} bytes`);
}

function plain(value: unknown, walk: Walk): unknown {
  walk.nodesLeft -= 1;
  // One object that stands in many places is written out in each.
  if (walk.nodesLeft < 0) throw tooLarge(walk.maxBytes);
  switch (typeof value) {
    case 'string':
      return wellFormed(value);
    case 'boolean':
      return value;
    case 'undefined':
      return null;
    case 'number':
      if (!Number.isFinite(value)) return null;
      if (Math.abs(value) >= walk.numberEnd) throw wrong('made of numbers below 2^63', value);
      return value;
    case 'object':
      return value === null ? null : plainObject(value, walk);
    case 'function':
      throw wrong('data: acknowledgements do not come back through Redis', value);
    case 'bigint':
    case 'symbol':
      throw wrong('what JSON can hold, or bytes', value);
  }
}

function plainObject(value: object, walk: Walk): unknown {
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (value instanceof ArrayBuffer) return Buffer.from(value);
  const { ancestors } = walk;
  if (ancestors.has(value)) throw wrong('free of references to itself', value);
  if (ancestors.size >= MAX_DEPTH) throw wrong(`nested less than ${MAX_DEPTH} deep`, value);

  ancestors.add(value);
  const copy = copied(value, walk);
  ancestors.delete(value);
  return copy;
}

function copied(value: object, walk: Walk): unknown {
  if ('toJSON' in value && typeof value.toJSON === 'function') return plain(value.toJSON(), walk);
  if (Array.isArray(value)) return Array.from(value, (each: unknown) => plain(each, walk));
  const copy: [string, unknown][] = [];
  for (const [key, each] of Object.entries(value)) {
    // As JSON leaves them out.
    if (each === undefined || typeof each === 'function' || typeof each === 'symbol') continue;
    copy.push([wellFormed(key), plain(each, walk)]);
  }
  return Object.fromEntries(copy);
}

/** Half a character has no bytes in UTF-8. */
export function wellFormed(text: string): string {
  return text.replace(LONE_SURROGATE, '\ufffd');
}

/** Says of what kind it was, never what: that may be anybody's data. */
function wrong(wanted: string, value: unknown): TypeError {
  const kind = typeof value;
  const got = `${kind === 'object' || kind === 'undefined' ? 'an' : 'a'} ${kind}`;
  return new TypeError(`emit: "payload" must be ${wanted}, got ${got}`);
}
