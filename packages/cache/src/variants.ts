import { randomBytes } from 'node:crypto';
import type { Request } from 'express';
import type { CacheKey } from './cache-key.js';
import { Entry, variantList } from './entry.js';
import { variantOf, type Fields } from './request-key.js';
import type { CacheStore } from './store.js';

/** What a store has for a request. */
export class Found {
  constructor(
    readonly entry: Entry | undefined,
    /** By which fields the answers to this URL differ, where they do. */
    readonly list: Entry | undefined,
  ) {}
}

const NOTHING = new Found(undefined, undefined);

/** Looks for what fits a request (RFC 9111 section 4.1). Starts to ask before it returns. */
export function find(store: CacheStore, key: CacheKey, req: Request): Found | Promise<Found> {
  const found = store.read(key);
  return found instanceof Promise
    ? found.then((entry) => choose(store, key, req, entry))
    : choose(store, key, req, found);
}

function choose(
  store: CacheStore,
  key: CacheKey,
  req: Request,
  found: Entry | undefined,
): Found | Promise<Found> {
  if (found === undefined) return NOTHING;
  if (!found.isVariantList) return new Found(found, undefined);
  const { epoch, vary } = found.head;
  const entry = store.read(key.variant(epoch, variantOf(req, vary)));
  return entry instanceof Promise
    ? entry.then((variant) => new Found(variant, found))
    : new Found(entry, found);
}

/** What those who wait for one answer have in common: the URL and, where that is known to matter, their fields. */
export function flightKeyOf(req: Request, key: CacheKey, list: Entry | undefined): CacheKey {
  return list === undefined ? key : key.variant(list.head.epoch, variantOf(req, list.head.vary));
}

/** A list outlives its variants by this, so that it is not written again with each of them. */
const LIST_OUTLIVES_MS = 3_600_000;

/** Keeps an answer that varies by these fields. @param req with the fields that the answer was asked for with */
export function keep(
  store: CacheStore,
  key: CacheKey,
  req: Fields,
  list: Entry | undefined,
  entry: Entry,
  vary: readonly string[],
): void | Promise<void> {
  if (list === undefined || list.head.keptUntil >= entry.head.keptUntil)
    return keepIn(list, store, key, req, entry, vary);
  // It is to be written anew, and may have been forgotten since it was read: its variants would come back with it.
  const there = store.read(key);
  const keepNow = (now: Entry | undefined, kept: Entry): void | Promise<void> =>
    keepIn(now?.isVariantList === true ? now : undefined, store, key, req, kept, vary);
  if (!(there instanceof Promise)) return keepNow(there, entry);
  const askedAt = performance.now();
  return there.then((now) => keepNow(now, madeSince(entry, performance.now() - askedAt)));
}

/** What was forgotten while it was made is told by how long it took until it is kept. */
function madeSince({ head, body }: Entry, ms: number): Entry {
  return new Entry({ ...head, tookMs: head.tookMs + ms }, body);
}

function keepIn(
  list: Entry | undefined,
  store: CacheStore,
  key: CacheKey,
  req: Fields,
  entry: Entry,
  vary: readonly string[],
): void | Promise<void> {
  const { path, keptUntil, stamp, tookMs } = entry.head;
  if (vary.length === 0 && list === undefined) return store.write(key, entry);
  const isKnown = list !== undefined && vary.every((name) => list.head.vary.includes(name));
  // What differed by fewer fields is not found any more. An epoch makes sure that it is not found later either.
  const names = isKnown ? list.head.vary : [...new Set([...vary, ...(list?.head.vary ?? [])])].toSorted();
  const epoch = isKnown ? list.head.epoch : randomBytes(9).toString('base64url');
  const isListed = isKnown && list.head.keptUntil >= keptUntil;
  const listWritten = isListed
    ? undefined
    : store.write(
        key,
        variantList({ path, names, epoch, keptUntil: keptUntil + LIST_OUTLIVES_MS, stamp, tookMs }),
      );
  const written = store.write(key.variant(epoch, variantOf(req, names)), entry);
  return listWritten instanceof Promise ? listWritten.then(() => written) : written;
}
