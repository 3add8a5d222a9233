import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../../../test/support/keeper.js';
import { documentIndex } from '../src/search/document-index.js';

it('is kept for the next start, without what a start left that was killed', async () => {
  const { path: folder } = temporaryFolder('documents');
  const [docsFolder, cache] = [join(folder, 'docs'), join(folder, 'cache')];
  for (const path of [docsFolder, cache]) mkdirSync(path);
  writeFileSync(join(docsFolder, 'ships.md'), '# Ships\n\nThey sail.\n');
  const sources = { docsFolder, from: folder };
  const leave = () => {
    mkdirSync(join(cache, 'documents.json.parts'));
    writeFileSync(join(cache, 'documents.json.parts', randomUUID()), 'half of');
  };
  const open = async () => (await documentIndex(sources, join(cache, 'documents.json'))).search('sail');

  for (const start of ['the one that makes it', 'the one that finds it']) {
    leave();
    expect(await open(), start).toMatchObject([{ title: 'Ships', text: 'They sail.' }]);
    expect(readdirSync(cache), start).toEqual(['documents.json']);
  }
});
