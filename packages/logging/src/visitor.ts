import { createHmac, hkdfSync, randomBytes } from 'node:crypto';

/** Options of privacy mode. */
export interface PrivacyOptions {
  /**
   * A secret of at least 32 bytes, from which the salt of each day is derived, so that several
   * processes agree.
   * @default random and never stored: the visitor ids of two processes, or two runs, cannot be compared
   */
  key?: string | Uint8Array | undefined;
  /**
   * The clock, in milliseconds since 1970.
   * @default Date.now
   */
  now?: (() => number) | undefined;
}

const DAY_MS = 86_400_000;

/** Visitors of the day whose hash is kept, so that a busy one is not hashed for every request. */
const MAX_REMEMBERED = 5_000;

/**
 * Names a visitor by a keyed hash of address and user agent. The salt changes at midnight UTC and is
 * kept nowhere, so that nobody, the operator included, can follow a visitor from day to day, or find
 * the address by trying all of them once the day is over and the key is not at hand.
 */
export function visitorNames(options: PrivacyOptions = {}): (address: string, userAgent: string) => string {
  const { key, now = Date.now } = options;
  const known = new Map<string, string>();
  let today = Number.NaN;
  let salt: Uint8Array = new Uint8Array();

  return (address, userAgent) => {
    const day = Math.floor(now() / DAY_MS);
    if (day !== today) {
      today = day;
      salt = key === undefined ? randomBytes(32) : derive(key, day);
      known.clear();
    }

    const visitor = `${address}\n${userAgent}`;
    const before = known.get(visitor);
    if (before !== undefined) return before;

    const name = createHmac('sha256', salt).update(visitor).digest('base64url').slice(0, 16);
    if (known.size >= MAX_REMEMBERED) known.clear();
    known.set(visitor, name);
    return name;
  };
}

function derive(key: string | Uint8Array, day: number): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', key, `${day}`, 'signalbox logging visitor', 32));
}
