import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

/** What a program prints. */
async function resultOf(program: string, ...flags: readonly string[]): Promise<Record<string, number>> {
  const file = fileURLToPath(new URL(`programs/${program}.mjs`, import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, file]);
  return JSON.parse(stdout) as Record<string, number>;
}

describe('a proxy', () => {
  it('passes a gigabyte each way in as much memory as a few chunks take', async () => {
    const { up, down, grownMb } = await resultOf('large-bodies');

    expect(up).toBe(2 ** 30);
    expect(down).toBe(2 ** 30);
    expect(grownMb).toBeLessThan(150);
  }, 60_000);
});

describe('connections to an upstream', () => {
  it('hold none of the requests that they were made for once those are answered', async () => {
    expect(await resultOf('answered-requests', '--expose-gc')).toEqual({ '/proxied': 0, '/called': 0 });
  });
});
