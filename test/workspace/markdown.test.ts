import { describe, expect, it } from 'vitest';
import { anchorsOf, firstBlockUnder, linksOf } from './markdown.js';

describe('linksOf', () => {
  it('finds links and images, inline and defined, with their lines', () => {
    const page = '# A\n\nSee [b](b.md#c "title") and ![d](<e.png>).\n\n[f]: ../g.md\n';
    expect(linksOf(page)).toEqual([
      { target: 'b.md#c', line: 3 },
      { target: 'e.png', line: 3 },
      { target: '../g.md', line: 5 },
    ]);
  });

  it('leaves code alone', () => {
    expect(linksOf('`[a](b)` and\n\n```md\n[c](d)\n```\n\n[e](f)')).toEqual([{ target: 'f', line: 7 }]);
  });

  it('takes parentheses that belong to the address', () => {
    expect(linksOf('[a](b_(c))')).toEqual([{ target: 'b_(c)', line: 1 }]);
  });
});

describe('anchorsOf', () => {
  it('makes anchors as GitHub does', () => {
    const page =
      "# It's `a.b()` — now\n\n## [Link](x.md) & more\n\n## Twice\n\n## Twice\n\n```sh\n# no heading\n```\n";
    expect([...anchorsOf(page)]).toEqual(['its-ab--now', 'link--more', 'twice', 'twice-1']);
  });
});

describe('firstBlockUnder', () => {
  const page =
    '# A\n\n## Install\n\n```sh\nnpm\n```\n\n## Use\n\nText.\n\n```ts\nuse();\n```\n\n## Options\n\n```ts\nno\n```\n';

  it('finds the first block of a section in one of the languages', () => {
    expect(firstBlockUnder(page, 'Use', ['ts', 'js'])).toBe('use();\n');
    expect(firstBlockUnder(page, 'Install', ['ts', 'js'])).toBeUndefined();
    expect(firstBlockUnder(page, 'Limits', ['ts', 'js'])).toBeUndefined();
  });
});
