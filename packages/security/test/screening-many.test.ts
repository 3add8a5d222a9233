import { array as listOf, assert, constantFrom, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inspect } from '../src/screening/inspect.js';
import { judgeBody } from '../src/screening/judge-body.js';
import { resolveOptions } from '../src/screening/options.js';
import { load, PAD } from '../src/screening/scan-units.js';
import { suspectsAmong } from '../src/screening/scan-many.js';
import { isQuiet, PLACES, sieve } from '../src/screening/scan-sieve.js';
import { placeMatters } from '../src/screening/scan.js';

const RUNS = { numRuns: 2_000, interruptAfterTimeLimit: 4_000 };

const pieces = constantFrom(
  ...'union |xp_|n5|\'|"|`|;|-|--|#|/|*|(|)|<|>|=|!|?|.|..|:|&|%|%27|\\|\\x3c|{|{{|$|_|,|+|[|]|@|1|0x2f|or |and |union select|on|load=|<script|data|cat |etc/passwd|alert|j\tt:|__proto__|&lt;|a|e| |  '.split(
    '|',
  ),
  '|',
  '\n',
  '\r\n',
  '\0',
  '\x01',
  '\uFF1C',
  '\u560A',
);
const text = listOf(
  constantFrom(0, 1).chain((kind) => (kind === 0 ? pieces : string({ maxLength: 4 }))),
  {
    maxLength: 12,
  },
).map((parts) => parts.join(''));

const { body: kinds, limits } = resolveOptions({ mode: 'enforce' });
const judge = (body: unknown): unknown => (kinds === undefined ? undefined : judgeBody(body, kinds, limits));

describe('screening, many short texts together', () => {
  it('passes over no text that has a finding when it is judged alone', () => {
    assert(
      property(listOf(text, { minLength: 1, maxLength: 40 }), (texts) => {
        const suspects = suspectsAmong(texts);
        for (const [index, alone] of texts.entries())
          if (inspect(alone, { multiline: true }).score > 0)
            expect([alone, suspects[index]]).toEqual([alone, 1]);
      }),
      RUNS,
    );
  });

  it('refuses a long list for the first item that would be refused alone', () => {
    assert(
      property(listOf(text, { minLength: 30, maxLength: 80 }), (texts) => {
        const first = texts.find((item) => inspect(item, { multiline: true }).refused);
        expect(judge(texts)).toEqual(first === undefined ? undefined : judge([first]));
      }),
      { ...RUNS, numRuns: 500 },
    );
  });

  it.each([0, 15, 16, 17, 500, 4_999])('finds the one attack at place %i of 5,000 notes', (place) => {
    const notes = Array.from({ length: 5_000 }, (_, i) => `It's a "nice" thing, no. ${i}`);
    notes[place] = "x' or '1'='1";
    expect(judge({ notes })).toMatchObject({
      part: 'body',
      rules: expect.arrayContaining(['sql.tautology']) as unknown,
    });
  });

  it('refuses what comes first: an attack before a polluting name, a polluting name before an attack', () => {
    const notes = Array.from({ length: 40 }, (_, i) => `Note ${i}: nothing.`);
    const polluting: unknown = JSON.parse('{"__proto__":1}');
    expect(judge([...notes, "x' or '1'='1", polluting])).toMatchObject({
      rules: expect.arrayContaining(['sql.tautology']) as unknown,
    });
    expect(judge([...notes, polluting, "x' or '1'='1"])).toMatchObject({ rules: ['pollution.name'] });
  });

  it('passes over no character that would matter', () => {
    assert(
      property(text, (given) => {
        load(given);
        const end = PAD + given.length;
        const kept = new Set(PLACES.subarray(0, sieve(PAD, end)).filter((at) => !isQuiet(at)));
        for (let at = PAD; at < end; at++) {
          const noted = { windows: [], encoded: 0 };
          const matters = placeMatters(at, noted, PAD, given.length) !== 0 || noted.encoded !== 0;
          if (matters) expect([given, at - PAD, kept.has(at)]).toEqual([given, at - PAD, true]);
        }
      }),
      RUNS,
    );
  });
});
