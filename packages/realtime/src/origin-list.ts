import { originPattern } from './origin-pattern.js';

/** Origins that were checked once, to look up what browsers send. */
export interface OriginList {
  /** Whether the value of an `Origin` field is one of them, letter by letter. */
  has(origin: string): boolean;
}

interface Wildcard {
  /** `https://` */
  start: string;
  /** `.example.org`, with a port where there is one. */
  end: string;
}

/** Subdomains that were allowed are remembered; with more than these it begins anew. */
const MAX_REMEMBERED = 1_000;

// Whole labels only; a look-alike brings a dot, a colon or an @ where none may stand. RFC 1035: 253 characters in all.
const LABELS = /^[a-z\d_-]{1,63}(?:\.[a-z\d_-]{1,63})*$/;
const MAX_ORIGIN_LENGTH = 'https://'.length + 253 + ':65535'.length;

/** @throws {TypeError} when an entry is no origin, or one that nobody should allow */
export function originList(entries: readonly unknown[], at: string, production: boolean): OriginList {
  const exact = new Set<string>();
  const wildcards: Wildcard[] = [];
  for (const entry of entries) {
    const { origin, isWildcard } = originPattern(entry, at, production);
    if (!isWildcard) exact.add(origin);
    else {
      const host = origin.indexOf('://') + 3;
      wildcards.push({ start: origin.slice(0, host), end: `.${origin.slice(host)}` });
    }
  }
  const remembered = new Set<string>();

  return {
    has(origin) {
      if (exact.has(origin) || remembered.has(origin)) return true;
      if (wildcards.length === 0 || origin.length > MAX_ORIGIN_LENGTH) return false;
      if (!wildcards.some((wildcard) => isBelow(origin, wildcard))) return false;
      if (remembered.size >= MAX_REMEMBERED) remembered.clear();
      remembered.add(origin);
      return true;
    },
  };
}

function isBelow(origin: string, { start, end }: Wildcard): boolean {
  if (!origin.startsWith(start) || !origin.endsWith(end)) return false;
  return origin.length > start.length + end.length && LABELS.test(origin.slice(start.length, -end.length));
}
