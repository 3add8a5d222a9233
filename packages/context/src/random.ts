import { randomFillSync } from 'node:crypto';

/** Asking the system for a few bytes costs about as much as asking for a page of them. */
const pool = Buffer.alloc(4_096);

let used = pool.length;

/** Random bytes in lowercase hex, each of them given out once. At most 4 096 at a time. */
export function randomHex(bytes: number): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const start = used;
  used += bytes;
  return pool.toString('hex', start, used);
}
