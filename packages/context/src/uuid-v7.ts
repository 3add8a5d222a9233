import { randomHex } from './random.js';

/**
 * Makes UUIDs of version 7 (RFC 9562 section 5.7), whose order is the order in which they were made.
 *
 * The 12 bits of `rand_a` count up within a millisecond, and while the clock stands or goes back
 * (section 6.2, method 1). When they run out, the timestamp goes ahead of the clock.
 *
 * @param now milliseconds since 1970
 */
export function uuidV7Generator(now: () => number = Date.now): () => string {
  let timestamp = -1;
  let counter = 0;
  /** Many ids share it: `018f3c2a-9b7c-`. */
  let prefix = '';

  const begin = (ms: number): void => {
    const hex = ms.toString(16).padStart(12, '0');
    timestamp = ms;
    prefix = `${hex.slice(0, 8)}-${hex.slice(8)}-`;
    // In the lower half, so that there is room to count.
    counter = Number.parseInt(randomHex(2), 16) & 0x7ff;
  };

  return function uuidV7() {
    const ms = now();
    if (ms > timestamp) begin(ms);
    else if (counter === 0xfff) begin(timestamp + 1);
    else counter += 1;

    const random = randomHex(8);
    // The variant, binary 10, takes the two highest bits.
    const variant = VARIANTS.charAt(random.charCodeAt(0) & 0b11);
    return `${prefix}${(0x7000 | counter).toString(16)}-${variant}${random.slice(1, 4)}-${random.slice(4)}`;
  };
}

const VARIANTS = '89ab';

/** The generator of this process. */
export const uuidV7: () => string = uuidV7Generator();
