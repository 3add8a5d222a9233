import { describe, expect, it } from 'vitest';
import { passage } from '../src/search/passage.js';
import { plainText } from '../src/search/plain-text.js';

describe('plainText', () => {
  it.each([
    ['# Title\n\nText with `code` and **bold**.', 'Title Text with code and bold.'],
    ['[a link](https://x.example/ "t") and ![an image](x.png)', 'a link and'],
    ['[![badge](b.svg)](https://ci.example)', ''],
    ['<p align="center">Hello</p>', 'Hello'],
    ['```js\nconst a = 1;\n```', 'const a = 1;'],
    ['| a | b |\n|---|---|\n| 1 | 2 |', 'a b 1 2'],
    ['---\ntitle: x\n---\nBody', 'Body'],
    ['[ref]: https://x.example\nBody', 'Body'],
  ])('%j reads as %j', (markdown, text) => {
    expect(plainText(markdown)).toBe(text);
  });

  it('takes linear time on hostile input', () => {
    for (const hostile of [
      '['.repeat(50_000),
      '<'.repeat(50_000),
      '![[('.repeat(20_000),
      '`'.repeat(50_000),
    ]) {
      expect(plainText(hostile).length).toBeLessThanOrEqual(hostile.length);
    }
  });
});

describe('passage', () => {
  const text = `${'Other words stand here. '.repeat(40)}The breaker opens after five failures in a row. ${'And more. '.repeat(40)}`;

  it('shows the stretch that has the words, cut at word boundaries', () => {
    const shown = passage('', text, ['breaker', 'failures']);

    expect(shown).toContain('breaker opens after five failures');
    expect(shown).toMatch(/^… \S/);
    expect(shown).toMatch(/ …$/);
    expect(shown.length).toBeLessThan(260);
  });

  it('prefers the summary of the author where it has the words', () => {
    expect(passage('A circuit breaker.', text, ['breaker'])).toBe('A circuit breaker.');
    expect(passage('Something else.', text, ['breaker'])).toContain('The breaker opens');
  });

  it('shows the beginning where nothing fits', () => {
    expect(passage('', 'Short text', ['none'])).toBe('Short text');
  });
});
