import { createHash, createHmac, hkdfSync } from 'node:crypto';
import type { Secret } from '@signalbox/options';
import { LRUCache } from 'lru-cache';

/** What an answer is kept under. Two requests that might be answered differently never have the same text. */
export class CacheKey {
  constructor(
    /** Everything that the answer depends on. */
    readonly text: string,
    /** The path in clear, as it was asked for; of a memoized function its name. */
    readonly path: string,
    /** Whether it holds who asks. */
    readonly isPersonal: boolean = false,
  ) {}

  /** The key of one of several variants. */
  variant(epoch: string, values: string): CacheKey {
    return new CacheKey(`${this.text}\n${epoch}\n${values}`, this.path, this.isPersonal);
  }
}

/** How many names are remembered with their hashes, and up to which length. */
const MAX_REMEMBERED = 20_000;
const MAX_REMEMBERED_LENGTH = 500;
/** Of a path more than this is not shown in a key. */
const MAX_SHOWN_PATH = 120;

/** Names keys as they stand in Redis: the path in clear, everything else as a hash. */
export class KeyNames {
  private readonly secret: Buffer | undefined;
  private readonly remembered = new LRUCache<string, string>({ max: MAX_REMEMBERED });

  constructor(
    private readonly prefix: string,
    secret: Secret | undefined,
  ) {
    // A secret serves one purpose: each package derives a key of its own.
    this.secret =
      secret === undefined ? undefined : Buffer.from(hkdfSync('sha256', secret, '', 'signalbox:cache', 32));
  }

  /** The name of a key in Redis. */
  of(key: CacheKey): string {
    const known = this.remembered.get(key.text);
    if (known !== undefined) return known;
    const hash = this.secret === undefined ? createHash('sha256') : createHmac('sha256', this.secret);
    const digest = hash.update(key.text).digest().toString('base64url', 0, 18);
    const name = `${this.prefix}${shownPath(key.path)}:${digest}`;
    if (key.text.length <= MAX_REMEMBERED_LENGTH) this.remembered.set(key.text, name);
    return name;
  }
}

/** A part of a path that may be a token or an id. */
const LIKE_A_SECRET = /^(?=.*\d)[\w~.%-]{16,}$|^.{41,}$/;

/** A path without what may be a secret, and without what is special to Redis' patterns and hash tags. */
function shownPath(path: string): string {
  const shown = path
    .split('/')
    .map((segment) => (LIKE_A_SECRET.test(segment) ? '~' : segment))
    .join('/');
  return shown.slice(0, MAX_SHOWN_PATH).replace(/[^\w/.~-]/g, '_');
}
