import { readCodes, CODES } from './codes.js';
import { meaningOf } from './sql-words.js';

const codes = CODES;

/** Kinds of tokens, as far as injections tell them apart. */
export const T = {
  end: 0,
  number: 1,
  quote: 2,
  word: 3,
  compare: 4,
  operator: 5,
  open: 6,
  close: 7,
  comma: 8,
  semicolon: 9,
  lineComment: 10,
  openComment: 11,
  variable: 12,
  dot: 13,
  other: 14,
  connect: 15,
} as const;

/** More than a window can hold that still means something. */
const MAX_TOKENS = 700;

/** Used again for every window: judging is synchronous. */
export class SqlTokens {
  readonly kinds: Uint8Array = new Uint8Array(MAX_TOKENS + 8);
  readonly starts: Int32Array = new Int32Array(MAX_TOKENS + 8);
  /** Of a word, where it ends and what it means; 0 is nothing. */
  readonly ends: Int32Array = new Int32Array(MAX_TOKENS + 8);
  readonly meanings: Uint8Array = new Uint8Array(MAX_TOKENS + 8);
  /** 1 where a quote is a double one. */
  readonly doubled: Uint8Array = new Uint8Array(MAX_TOKENS + 8);
  count = 0;
  /** Comments inside of the text, `/**` + `/`, which separate words like a space: a way around filters. */
  inlineComments = 0;
  /** `/*!`: code that only MySQL runs. */
  versionComments = 0;
  /** How many single and double quotes there are. */
  quotes = 0;
  #text = '';

  /** The word at `i`, empty for any other token. Few are ever asked for, so none is cut out before. */
  wordAt(i: number): string {
    return this.kinds[i] === T.word ? this.#text.slice(this.starts[i], this.ends[i]) : '';
  }

  /** Reads a lower-case text. Spaces and whole comments are left out. */
  read(text: string): void {
    const length = readCodes(text);
    let count = 0;
    this.#text = text;
    this.inlineComments = 0;
    this.versionComments = 0;
    this.quotes = 0;
    let i = 0;
    while (i < length && count < MAX_TOKENS) {
      const code = codes[i] as number;
      const sort = SORTS[code] as number;
      if (sort === SPACE) {
        i += 1;
        continue;
      }
      this.starts[count] = i;
      if (sort === LETTER) {
        const start = i;
        do i += 1;
        while ((SORTS[codes[i] as number] as number) >= PART);
        this.kinds[count] = T.word;
        this.ends[count] = i;
        this.meanings[count] = meaningOf(text, start, i);
        count += 1;
        continue;
      }
      this.meanings[count] = 0;
      if (code >= 48 && code <= 57) {
        i = endOfNumber(i);
        this.kinds[count++] = T.number;
        continue;
      }
      const next = codes[i + 1] as number;
      if (code === 47 && next === 42) {
        const version = codes[i + 2] === 33;
        if (version) {
          this.versionComments += 1;
          i = endOfNumber(i + 3);
          continue;
        }
        const end = text.indexOf('*/', i + 2);
        if (end >= 0) {
          this.inlineComments += 1;
          i = end + 2;
        } else {
          this.kinds[count++] = T.openComment;
          i = length;
        }
        continue;
      }
      if (code === 42 && next === 47 && this.versionComments > 0) {
        i += 2;
        continue;
      }
      i += this.#mark(code, next, count);
      count += 1;
    }
    this.count = count;
    for (let end = count; end < count + 8; end++) {
      this.kinds[end] = T.end;
      this.starts[end] = length;
      this.meanings[end] = 0;
    }
  }

  /** Notes one token of punctuation and says how many characters it has. */
  #mark(code: number, next: number, at: number): number {
    switch (code) {
      case 39:
      case 34:
      case 0xb4:
      case 0x2018:
      case 0x2019:
        this.kinds[at] = T.quote;
        this.quotes += 1;
        this.doubled[at] = code === 34 ? 1 : 0;
        return 1;
      case 40:
        this.kinds[at] = T.open;
        return 1;
      case 41:
        this.kinds[at] = T.close;
        return 1;
      case 44:
        this.kinds[at] = T.comma;
        return 1;
      case 59:
        this.kinds[at] = T.semicolon;
        return 1;
      case 46:
        this.kinds[at] = T.dot;
        return 1;
      case 64:
        this.kinds[at] = T.variable;
        return next === 64 ? 2 : 1;
      case 35:
        this.kinds[at] = T.lineComment;
        return 1;
      case 45:
        this.kinds[at] = next === 45 ? T.lineComment : T.operator;
        return next === 45 ? 2 : 1;
      case 60:
      case 62:
      case 61:
      case 33:
        this.kinds[at] = T.compare;
        return next === 61 || next === 62 ? 2 : 1;
      case 38:
        // &#39; is a character, not an operator and a comment.
        if (next === 35) {
          this.kinds[at] = T.other;
          return 2;
        }
        this.kinds[at] = next === code ? T.connect : T.operator;
        return next === code ? 2 : 1;
      case 124:
        this.kinds[at] = next === code ? T.connect : T.operator;
        return next === code ? 2 : 1;
      case 42:
      case 43:
      case 47:
      case 37:
      case 94:
      case 126:
        this.kinds[at] = T.operator;
        return 1;
      default:
        this.kinds[at] = T.other;
        return 1;
    }
  }
}

const [SPACE, PART, LETTER] = [1, 2, 3] as const;
/** Of each character: a space, a part of a word, a letter that one may begin with, or neither. */
const SORTS = new Uint8Array(65_536).fill(SPACE, 0, 33).fill(LETTER, 97, 123);
SORTS.fill(LETTER, 0xc0, 0x2000).fill(LETTER, 0x2e81);
for (const char of '\u00D7\u00F7') SORTS[char.charCodeAt(0)] = 0;
for (const char of '$0123456789') SORTS[char.charCodeAt(0)] = PART;
SORTS[0xa0] = SPACE;
SORTS['_'.charCodeAt(0)] = LETTER;

/** Of digits, with a fraction, an exponent or as `0x…`. */
function endOfNumber(from: number): number {
  let i = from;
  if (codes[i] === 48 && codes[i + 1] === 120) {
    i += 2;
    while (isHex(codes[i] as number)) i += 1;
    return i;
  }
  for (; ; i++) {
    const code = codes[i] as number;
    const isPart = (code >= 48 && code <= 57) || (code === 46 && i > from);
    if (!isPart) break;
  }
  // 1e0union: an exponent ends a number, not a word.
  if (i > from && codes[i] === 101) {
    const next = codes[i + 1] as number;
    if (next >= 48 && next <= 57) return endOfNumber(i + 1);
  }
  return i;
}

function isHex(code: number): boolean {
  return (code >= 48 && code <= 57) || (code >= 97 && code <= 102);
}
