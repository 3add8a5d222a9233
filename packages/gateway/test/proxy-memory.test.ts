import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const PROGRAM = fileURLToPath(new URL('programs/large-bodies.mjs', import.meta.url));

describe('a proxy', () => {
  it('passes a gigabyte each way in as much memory as a few chunks take', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM]);
    const { up, down, grownMb } = JSON.parse(stdout) as Record<string, number>;

    expect(up).toBe(2 ** 30);
    expect(down).toBe(2 ** 30);
    expect(grownMb).toBeLessThan(150);
  }, 60_000);
});
