import { array as listOf, assert, constantFrom, oneof, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { entityDecode } from '../src/screening/decode.js';
import { inspect } from '../src/screening/inspect.js';

const NAMED: Readonly<Record<string, string>> = {
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  amp: '&',
  colon: ':',
  lpar: '(',
  rpar: ')',
  tab: '\t',
  newline: '\n',
  sol: '/',
  bsol: '\\',
  period: '.',
  grave: '`',
  equals: '=',
};

/** What `entityDecode` does by hand, as a pattern says it. */
function decodedByPattern(text: string): string {
  const pattern = /&(?:#x([0-9a-f]{1,8})|#([0-9]{1,9})|([a-z]{2,7}));?/gi;
  return text.replace(pattern, (whole, hexadecimal?: string, decimal?: string, name?: string) => {
    if (name !== undefined) {
      const key = name.toLowerCase();
      return Object.hasOwn(NAMED, key) ? (NAMED[key] ?? whole) : whole;
    }
    const value = hexadecimal === undefined ? Number(decimal) : Number.parseInt(hexadecimal, 16);
    return value > 0x10ffff ? whole : String.fromCodePoint(value);
  });
}

const pieces = constantFrom(
  ...'& ; # x X amp AMP lt LT; colon newline newlines valueOf a f 6 9 z &amp; &lt; &#106; &#x6a &#x110000; &#1114112; &#0;'.split(
    ' ',
  ),
  ' ',
);

describe('screening, in front of encodings', () => {
  it('reads character references as their pattern says, whatever stands beside them', () => {
    assert(
      property(listOf(oneof(pieces, string({ maxLength: 3 })), { maxLength: 20 }), (parts) => {
        const text = parts.join('');
        expect(entityDecode(text)).toBe(decodedByPattern(text));
      }),
      { numRuns: 3_000, interruptAfterTimeLimit: 4_000 },
    );
  });

  it.each(['java\nscript:', 'java\tscript:', 'jav\r\nascript:'])(
    'finds %j in a tag, however far from its beginning, and however many other colons there are',
    (scheme) => {
      for (const before of ['', 'a: b: what: '.repeat(30), 't\n: '.repeat(300)]) {
        const text = `<a href="#">${before}<a href="${scheme}alert(1)">`;
        expect([before.length, inspect(text, { multiline: true }).refused]).toEqual([before.length, true]);
      }
    },
  );
});
