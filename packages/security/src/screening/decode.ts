/**
 * The encodings that an attack hides in. Each function undoes one of them once, in one pass, and gives
 * back the very string it was given when there is nothing to undo.
 */

const REPLACEMENT = '\uFFFD';

/** The value of a hexadecimal digit, or -1. */
function hex(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  const lower = code | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

/** The byte that `%41` at `at` stands for, or -1. */
function byteAt(text: string, at: number): number {
  if (text.charCodeAt(at) !== 37) return -1;
  const high = hex(text.charCodeAt(at + 1));
  const low = hex(text.charCodeAt(at + 2));
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/** Of so many hexadecimal digits, or -1. */
function hexNumber(text: string, at: number, digits: number): number {
  let value = 0;
  for (let i = at; i < at + digits; i++) {
    const digit = hex(text.charCodeAt(i));
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

/**
 * Percent-decoding as lenient servers do it: what is malformed stays as it is, overlong UTF-8 (`%c0%ae` for a
 * dot) and `%u002e` are taken at their word, and bytes that are no UTF-8 become U+FFFD.
 */
export function percentDecode(text: string, plusIsSpace = false): string {
  const source = plusIsSpace && text.includes('+') ? text.replaceAll('+', ' ') : text;
  let at = source.indexOf('%');
  if (at < 0) return source;
  let decoded = '';
  let copied = 0;
  while (at >= 0) {
    const wide = (source.charCodeAt(at + 1) | 32) === 117 ? hexNumber(source, at + 2, 4) : -1;
    const byte = wide < 0 ? byteAt(source, at) : -1;
    if (wide < 0 && byte < 0) {
      at = source.indexOf('%', at + 1);
      continue;
    }
    decoded += source.slice(copied, at);
    if (wide >= 0) {
      decoded += String.fromCharCode(wide);
      at += 6;
    } else if (byte < 128) {
      decoded += String.fromCharCode(byte);
      at += 3;
    } else {
      const length = sequenceLength(source, at, byte);
      decoded += length === 0 ? REPLACEMENT : codePoint(source, at, byte, length);
      at += 3 * Math.max(length, 1);
    }
    copied = at;
    at = source.indexOf('%', at);
  }
  return copied === 0 ? source : decoded + source.slice(copied);
}

/** How many bytes the sequence that begins at `at` has, or 0 when it is none. */
function sequenceLength(text: string, at: number, first: number): number {
  // Beyond UTF-8, c0 and c1 and five or six bytes are written for one reason only.
  if (first === 0xc0 || first === 0xc1) return byteAt(text, at + 3) < 0 ? 0 : 2;
  const length =
    first >= 0xfe
      ? 0
      : first >= 0xfc
        ? 6
        : first >= 0xf8
          ? 5
          : first >= 0xf0
            ? 4
            : first >= 0xe0
              ? 3
              : first >= 0xc0
                ? 2
                : 0;
  for (let i = 1; i < length; i++) {
    const next = byteAt(text, at + 3 * i);
    if (next < 0x80 || next > 0xbf) return 0;
  }
  return length;
}

function codePoint(text: string, at: number, first: number, length: number): string {
  let value = first & (0xff >> (length + 1));
  for (let i = 1; i < length; i++) value = value * 64 + (byteAt(text, at + 3 * i) & 0x3f);
  return value > 0x10ffff ? REPLACEMENT : String.fromCodePoint(value);
}

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
  ['amp', '&'],
  ['colon', ':'],
  ['lpar', '('],
  ['rpar', ')'],
  ['tab', '\t'],
  ['newline', '\n'],
  ['sol', '/'],
  ['bsol', '\\'],
  ['period', '.'],
  ['grave', '`'],
  ['equals', '='],
]);

/** HTML character references, numeric and the few that matter, with or without their semicolon. */
export function entityDecode(text: string): string {
  let decoded = '';
  let copied = 0;
  for (let at = text.indexOf('&'); at >= 0; at = text.indexOf('&', at + 1)) {
    const end = endOfReference(text, at);
    const value = end === 0 ? undefined : referred(text.slice(at + 1, end));
    if (value === undefined) continue;
    decoded += text.slice(copied, at) + value;
    copied = text.charCodeAt(end) === 59 ? end + 1 : end;
    at = copied - 1;
  }
  return copied === 0 ? text : decoded + text.slice(copied);
}

/** Where the `amp` of `&amp;` ends that begins at `at`, 0 when there is none; at most 11 characters are looked at. */
function endOfReference(text: string, at: number): number {
  const isNumber = text.charCodeAt(at + 1) === 35;
  const isHexadecimal = isNumber && (text.charCodeAt(at + 2) | 32) === 120;
  const start = at + (isHexadecimal ? 3 : isNumber ? 2 : 1);
  const most = start + (isHexadecimal ? 8 : isNumber ? 9 : 7);
  let i = start;
  for (; i < most; i++) {
    const code = text.charCodeAt(i);
    const isDigit = code >= 48 && code <= 57;
    const letter = code | 32;
    if (isHexadecimal ? hex(code) < 0 : isNumber ? !isDigit : letter < 97 || letter > 122 || code > 122)
      break;
  }
  return i < start + (isNumber ? 1 : 2) ? 0 : i;
}

function referred(name: string): string | undefined {
  if (name.charCodeAt(0) !== 35) return ENTITIES.get(name) ?? ENTITIES.get(name.toLowerCase());
  const value =
    (name.charCodeAt(1) | 32) === 120 ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
  return value > 0x10ffff ? undefined : String.fromCodePoint(value);
}

const ESCAPE =
  /\\(?:([nrt])|u\{([0-9a-f]{1,6})\}|u([0-9a-f]{4})|x([0-9a-f]{2})|0{0,4}([0-9a-f]{2,6})[ ]?|([0-7]{2,3}))/gi;

/** The escapes of JavaScript and CSS: `\u003c`, `\x3c`, `\u{3c}`, `\3c `. */
export function escapeDecode(text: string): string {
  return text.replace(ESCAPE, (whole, letter: string | undefined, ...digits: (string | undefined)[]) => {
    if (letter !== undefined) return letter === 't' ? '\t' : '\n';
    const value = Number.parseInt(digits[0] ?? digits[1] ?? digits[2] ?? digits[3] ?? digits[4] ?? '', 16);
    return value > 0 && value <= 0x10ffff ? String.fromCodePoint(value) : whole;
  });
}

/** Characters that some layer behind us turns into an ASCII one. */
const LOOKALIKES =
  /[\uFF01-\uFF5E\u2024\u2025\u2215\u2044\u2216\uFE68\uFE64\uFE65\u2039\u203A\u3008\u3009\u02BC\u02B9\uEFC8\uF025]/g;
const PLAIN: Readonly<Record<string, string>> = {
  '\u2024': '.',
  '\u2025': '..',
  '\u2215': '/',
  '\u2044': '/',
  '\u2216': '\\',
  '\uFE68': '\\',
  '\uFE64': '<',
  '\uFE65': '>',
  '\u2039': '<',
  '\u203A': '>',
  '\u3008': '<',
  '\u3009': '>',
  '\u02BC': "'",
  '\u02B9': "'",
  // Where IIS finds its slashes.
  '\uEFC8': '/',
  '\uF025': '/',
};

/** Full-width forms and other look-alikes as the ASCII characters that they become. */
export function foldLookalikes(text: string): string {
  return text.replace(LOOKALIKES, (char) => PLAIN[char] ?? String.fromCharCode(char.charCodeAt(0) - 0xfee0));
}
