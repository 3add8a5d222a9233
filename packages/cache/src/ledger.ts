import type { Entry } from './entry.js';
import type { Invalidation } from './store.js';

/** What was invalidated, as it is kept and told: `t:` a tag, `p:` a prefix, `m:` a pattern, `k:` a key. */
export type Mark = `${'t' | 'p' | 'm' | 'k'}:${string}`;

interface Rule {
  readonly mark: Mark;
  readonly matches: (path: string) => boolean;
  readonly stamp: number;
}

/** More rules would cost too much: what is older than the oldest of them is dead instead. */
const MAX_RULES = 256;
const MAX_TAGS = 100_000;

/**
 * What was invalidated, and when. An entry says what was known when it was asked for; what it has a part in was
 * invalidated later, and it is dead: whatever the number of entries, one step forgets them all.
 */
export class Ledger {
  /** The number of the last invalidation. */
  stamp = 0;
  /** Everything older is dead. */
  private floor = 0;
  /** Everything older that has tags is dead. */
  private tagFloor = 0;
  private readonly tags: Map<string, number> = new Map();
  /** The latest last. */
  private rules: Rule[] = [];

  /** Whether nothing that an entry has a part in was invalidated since it was asked for. */
  isCurrent({ head }: Entry): boolean {
    const { stamp, tags } = head;
    if (stamp >= this.stamp) return true;
    if (stamp < this.floor) return false;
    if (tags.length > 0) {
      if (stamp < this.tagFloor) return false;
      for (const tag of tags) if ((this.tags.get(tag) ?? 0) > stamp) return false;
    }
    for (let index = this.rules.length - 1; index >= 0; index--) {
      const rule = this.rules[index] as Rule;
      if (rule.stamp <= stamp) break;
      if (rule.matches(head.path)) return false;
    }
    return true;
  }

  add(mark: Mark, stamp: number): void {
    this.stamp = Math.max(this.stamp, stamp);
    const text = mark.slice(2);
    if (mark.startsWith('t:')) {
      // Anew, so that the order is that of the last time.
      this.tags.delete(text);
      this.tags.set(text, stamp);
      if (this.tags.size > MAX_TAGS) this.forgetOldestTag();
      return;
    }
    const rules = this.rules.filter((rule) => rule.mark !== mark || rule.stamp > stamp);
    rules.push({ mark, matches: matcherOf(mark), stamp });
    rules.sort((one, other) => one.stamp - other.stamp);
    while (rules.length > MAX_RULES) this.floor = Math.max(this.floor, rules.shift()?.stamp ?? 0);
    this.rules = rules;
  }

  /** Everything that was asked for until now is dead. */
  raise(stamp: number): void {
    this.floor = Math.max(this.floor, stamp);
    this.stamp = Math.max(this.stamp, stamp);
    // What was invalidated since then may be known already.
    this.rules = this.rules.filter((rule) => rule.stamp > stamp);
    for (const [tag, at] of this.tags) if (at <= stamp) this.tags.delete(tag);
  }

  private forgetOldestTag(): void {
    const [oldest] = this.tags;
    if (oldest === undefined) return;
    this.tags.delete(oldest[0]);
    this.tagFloor = Math.max(this.tagFloor, oldest[1]);
  }
}

export function marksOf(what: Invalidation): Mark[] {
  if ('tag' in what)
    return (typeof what.tag === 'string' ? [what.tag] : what.tag).map((tag): Mark => `t:${tag}`);
  if ('prefix' in what) return [`p:${what.prefix}`];
  if ('pattern' in what) return [`m:${what.pattern}`];
  return [`k:${what.key}`];
}

export function matcherOf(mark: Mark): (path: string) => boolean {
  const text = mark.slice(2);
  if (mark.startsWith('p:')) return (path) => path.startsWith(text);
  if (mark.startsWith('k:')) return (path) => path === text;
  const pieces = patternPieces(text);
  return (path) => matchesPieces(path, pieces);
}

type Piece = string | typeof ANY | typeof SEGMENT;
const ANY = Symbol('any');
const SEGMENT = Symbol('segment');

function patternPieces(pattern: string): Piece[] {
  const pieces: Piece[] = [];
  for (const part of pattern.split(/(\*+|(?<=\/):\w+)/)) {
    if (part.startsWith('*')) pieces.push(ANY);
    else if (/^:\w+$/.test(part)) pieces.push(SEGMENT);
    else if (part !== '') pieces.push(part);
  }
  return pieces;
}

/** As a glob is matched: on failure only the last `*` takes more, so that no pattern takes long. */
function matchesPieces(path: string, pieces: readonly Piece[]): boolean {
  let at = 0;
  let index = 0;
  let starIndex = -1;
  let starAt = 0;
  for (;;) {
    const piece = pieces[index];
    if (piece === ANY) {
      starIndex = index;
      starAt = at;
      index += 1;
      continue;
    }
    const end = piece === undefined ? (at === path.length ? at : -1) : pieceEnd(path, at, piece);
    if (end !== -1 && piece === undefined) return true;
    if (end !== -1) {
      at = end;
      index += 1;
    } else if (starIndex !== -1 && starAt < path.length) {
      starAt += 1;
      at = starAt;
      index = starIndex + 1;
    } else {
      return false;
    }
  }
}

function pieceEnd(path: string, at: number, piece: string | typeof SEGMENT | typeof ANY): number {
  if (typeof piece === 'string') return path.startsWith(piece, at) ? at + piece.length : -1;
  const slash = path.indexOf('/', at);
  const end = slash === -1 ? path.length : slash;
  return end > at ? end : -1;
}
