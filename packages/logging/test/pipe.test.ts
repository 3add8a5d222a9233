import { expect, it } from 'vitest';
import { parseLines, run } from './child.js';

it('a log that is read through a pipe leaves require as it was: it follows links', async () => {
  const { code, stdout, stderr } = await run('requires-later');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(parseLines(stdout).at(-1)).toMatchObject({ loaded: ['/real/module.cjs', '/real/module.cjs'] });
});
