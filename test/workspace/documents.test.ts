import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { anchorsOf, linksOf } from './markdown.js';
import { filesIn, root, shortPath } from './workspace.js';

const files = filesIn(root);
const pages = files.filter((file) => file.endsWith('.md'));

/** What is wrong with a link, or undefined. Addresses on the web are not visited. */
function fault(page: string, target: string): string | undefined {
  if (/^[a-z][a-z+.-]*:/i.test(target)) return undefined;
  const [path = '', anchor] = target.split('#', 2);
  const file = path === '' ? page : placeOf(page, decodeURIComponent(path));
  if (!existsSync(file)) return 'leads nowhere';
  if (anchor === undefined || !file.endsWith('.md') || statSync(file).isDirectory()) return undefined;
  return anchorsOf(readFileSync(file, 'utf8')).has(anchor) ? undefined : 'names no heading there';
}

/** In docs/, where the site is built from, `/guide/x` is the page `guide/x.md`. */
function placeOf(page: string, path: string): string {
  if (!path.startsWith('/')) return join(dirname(page), path);
  const place = join(root, 'docs', path);
  return existsSync(place) ? place : `${place}.md`;
}

describe('the documents', () => {
  it.each(pages.map(shortPath))('%s links only to what is there', (page) => {
    const text = readFileSync(join(root, page), 'utf8');
    const faults = linksOf(text).flatMap(({ target, line }) => {
      const found = fault(join(root, page), target);
      return found === undefined ? [] : [`${page}:${line}: ${target} ${found}`];
    });
    expect(faults).toEqual([]);
  });
});

/** What belongs in no file that others read, and why. */
const unwanted: readonly [string, RegExp][] = [
  ["a path of somebody's machine", /(?<![\w.~/-])\/(?:home|Users|root|work|workspace)\/[\w.-]+/],
  ['work that is left to do', /\b(?:TODO|FIXME|XXX|HACK)\b/],
  ['a key that was meant to stay secret', /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----/],
  ['a mark of a merge that was not finished', /^(?:<{7}|>{7}) /m],
];

/** Files that speak of such words, or hold what somebody else wrote. */
const exempt = new Set(['test/workspace/documents.test.ts', 'pnpm-lock.yaml']);

describe('every file', () => {
  const texts = files
    .filter(
      (file) =>
        !exempt.has(shortPath(file)) && /\.(?:[cm]?[jt]s|md|json|ya?ml|html|css|conf|sh|service)$/.test(file),
    )
    .map((file) => ({ file: shortPath(file), text: readFileSync(file, 'utf8') }));

  it.each(unwanted)('is free of %s', (_what, pattern) => {
    const found = texts.flatMap(({ file, text }) => {
      const match = pattern.exec(text);
      return match ? [`${file}:${text.slice(0, match.index).split('\n').length}: ${match[0]}`] : [];
    });
    expect(found).toEqual([]);
  });
});
