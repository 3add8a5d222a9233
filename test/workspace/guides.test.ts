import { execFile } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { blocksOf, type CodeBlock } from './markdown.js';
import { programFolder, typeCheck } from './program-folder.js';
import { filesIn, root, shortPath } from './workspace.js';

const run = promisify(execFile);

interface GuideBlock extends CodeBlock {
  /** `docs/guide/backup.md:42`, and the same as the name of a file. */
  place: string;
  file: string;
}

const blocks: readonly GuideBlock[] = filesIn(join(root, 'docs/guide'))
  .filter((file) => file.endsWith('.md'))
  .flatMap((page) =>
    blocksOf(readFileSync(page, 'utf8')).map((block) => {
      const place = `${shortPath(page)}:${block.line}`;
      return { ...block, place, file: place.replaceAll(/\W+/g, '-') };
    }),
  );
const inLanguage = (language: string): GuideBlock[] => blocks.filter((block) => block.language === language);
const shell = inLanguage('sh').map((block) => [block.place, block.text] as const);
/** Its commands are those of another repository. */
const ELSEWHERE = 'docs/guide/cache-conformance.md';

let folder = '';
beforeAll(() => {
  folder = programFolder();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the code of the guides', () => {
  it('is right in the eyes of TypeScript', { timeout: 60_000 }, async () => {
    const programs = inLanguage('ts');
    expect(programs.length).toBeGreaterThan(0);
    for (const { file, text } of programs) writeFileSync(join(folder, `${file}.mts`), text);
    await typeCheck(folder, { noImplicitAny: true });
  });

  it.each(inLanguage('js').map((block) => [block.place, block] as const))(
    'is JavaScript: %s',
    async (_place, { file, text }) => {
      const path = join(folder, `${file}.${/\brequire\(/.test(text) ? 'cjs' : 'mjs'}`);
      writeFileSync(path, text);
      await run(process.execPath, ['--check', path]);
    },
  );

  it.each(shell)('can be read by a shell: %s', async (_place, text) => {
    await run('bash', ['-n', '-c', text]);
  });
});

describe('the commands of the guides', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };

  it.each(shell.filter(([place]) => !place.startsWith(ELSEWHERE)))(
    'name scripts and files that there are: %s',
    (_place, text) => {
      const named = [...text.matchAll(/\bnpm run ([\w:-]+)/g)].map(([, name = '']) => name);
      expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
      const paths = [...text.matchAll(/(?<![\w/$@.-])(?:examples|packages|test|docs)\/[\w./@-]*\w/g)];
      expect(paths.map(([path]) => path).filter((path) => !existsSync(join(root, path)))).toEqual([]);
    },
  );
});
