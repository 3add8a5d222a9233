import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { steadyLoad } from '../../../test/support/load.js';
import { startProgram } from '../../../test/support/program.js';

/** How many bytes the old generation gains with each request, of requests that wait for something. */
async function grownBytes(...args: string[]): Promise<number> {
  const file = fileURLToPath(new URL('./fixtures/waiting-app.mjs', import.meta.url));
  const program = await startProgram(process.execPath, [file, ...args], { name: 'an app that waits' });
  try {
    const [, url = ''] = await program.waitFor(/listening on (\S+)/);
    const visit = async (): Promise<number> => {
      const load = await steadyLoad(url, { clients: 64, durationMs: 1_500 });
      await load.done;
      return load.results.length;
    };
    const old = async (): Promise<number> => (await (await fetch(`${url}/old`)).json()) as number;

    await visit();
    const before = await old();
    const requests = await visit();
    return ((await old()) - before) / requests;
  } finally {
    await program.stop();
  }
}

describe('what requests leave behind', () => {
  it('is gone with the next minor collection, whatever they waited for', { timeout: 30_000 }, async () => {
    expect(await grownBytes()).toBeLessThan(2_000);
  });
});
