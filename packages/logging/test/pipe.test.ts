import { expect, it } from 'vitest';
import { parseLines, run } from './child.js';

// Node's realpathSync with a cache, which require() has, breaks off where the last file that was looked at is a pipe.
it('a log that is read through a pipe leaves require as it was: it follows links', async () => {
  const { code, stdout, stderr } = await run('requires-later');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(parseLines(stdout).at(-1)).toMatchObject({ loaded: ['/real/before.cjs', '/real/after.cjs'] });
});
