/** A header field as it is sent: several lines of one name are a list; none at all, one that is taken away. */
export type Field = readonly [name: string, value: string | string[]];

/** What of an entry is not its body. Times are milliseconds since 1970. */
export interface EntryHead {
  /** What it was stored as: of a response its status, `0` a value of `memoize`, `1` the list of a URL's variants. */
  status: number;
  /** The path that it is an answer for, or the name of a memoized function: what prefixes and patterns look at. */
  path: string;
  fields: readonly Field[];
  /** When it came to be, by `Date` and `Age` (RFC 9111 section 4.2.3). */
  bornAt: number;
  freshUntil: number;
  /** Until when it may be sent while somebody fetches a new one (RFC 5861 section 3). */
  revalidateUntil: number;
  /** Until when it may be sent where there is an error instead of a new one (RFC 5861 section 4). */
  errorUntil: number;
  keptUntil: number;
  /** Whether it may be given to requests with credentials: it says so itself, or the cache is `shared`. */
  isPublic: boolean;
  /** Whether it has to be asked for again before it is used even while fresh (`no-cache`). */
  mustValidate: boolean;
  /** Its validators, where the origin set them and knows them again. */
  etag: string | undefined;
  lastModified: string | undefined;
  tags: readonly string[];
  /** The number of the last invalidation that was known when it was asked for. */
  stamp: number;
  /** How long it took to make, in milliseconds. */
  tookMs: number;
  /** Template of the route that answered. */
  route: string | undefined;
  /** Of a list of variants: the header fields that tell them apart, and what their keys are made with. */
  vary: readonly string[];
  epoch: string;
}

/** One answer, or one value, as it is kept. */
export class Entry {
  /** The field that tells a client's own copy from a newer one. */
  readonly ownEtag: string | undefined;
  /** Until when a local tier uses it without asking, on the clock of `performance.now()`. */
  localUntil = 0;

  constructor(
    readonly head: EntryHead,
    readonly body: Buffer,
  ) {
    this.ownEtag = fieldOf(head.fields, 'etag');
  }

  /** Roughly what it costs to keep. */
  get bytes(): number {
    let bytes = 400 + this.body.length + this.head.path.length;
    for (const [name, value] of this.head.fields) bytes += 50 + name.length + String(value).length;
    for (const text of [...this.head.tags, ...this.head.vary]) bytes += 30 + text.length;
    return bytes;
  }

  ageMs(now: number): number {
    return Math.max(0, now - this.head.bornAt);
  }

  isFresh(now: number): boolean {
    return now < this.head.freshUntil && !this.head.mustValidate;
  }

  get isVariantList(): boolean {
    return this.head.status === 1;
  }
}

export function fieldOf(fields: readonly Field[], name: string): string | undefined {
  for (const [field, value] of fields) {
    if (field.toLowerCase() !== name) continue;
    if (typeof value === 'string') return value;
    return value.length === 0 ? undefined : value.join(', ');
  }
  return undefined;
}

/**
 * A list of variants: which header fields of a request decide, and what their keys are made with. It is as old as the
 * answer that it is made for: what was removed meanwhile does not come back with it.
 */
export function variantList(list: {
  path: string;
  names: readonly string[];
  epoch: string;
  keptUntil: number;
  stamp: number;
  tookMs: number;
}): Entry {
  const { path, names, epoch, keptUntil, stamp, tookMs } = list;
  return new Entry(
    {
      status: 1,
      path,
      fields: [],
      bornAt: 0,
      freshUntil: keptUntil,
      revalidateUntil: 0,
      errorUntil: 0,
      keptUntil,
      isPublic: true,
      mustValidate: false,
      etag: undefined,
      lastModified: undefined,
      tags: [],
      stamp,
      tookMs,
      route: undefined,
      vary: names,
      epoch,
    },
    EMPTY,
  );
}

const EMPTY: Buffer = Buffer.alloc(0);
