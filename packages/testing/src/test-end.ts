/** The part of a test's own context that closing needs: vitest's has the one, node:test's the other. */
export type TestContext =
  | { onTestFinished(fn: () => Promise<void>): void }
  | { after(fn: () => Promise<void>): void };

/**
 * Calls a function when the running test ends, under vitest and node:test. Outside a test (in `beforeAll`, or in a
 * plain program) it is never called.
 *
 * @param test the test's own context, needed only where tests of one file run concurrently
 *
 * @example
 * const server = await startSomething();
 * await whenTestEnds(() => server.close());
 */
export async function whenTestEnds(close: () => Promise<void>, test?: TestContext): Promise<void> {
  if (test !== undefined) {
    if ('onTestFinished' in test) test.onTestFinished(close);
    else test.after(close);
  } else if (process.env['VITEST'] !== undefined) {
    await whenVitestTestEnds(close);
  } else if (process.env['NODE_TEST_CONTEXT'] !== undefined) {
    const { after } = await import('node:test');
    after(close);
  }
}

async function whenVitestTestEnds(close: () => Promise<void>): Promise<void> {
  const { onTestFinished } = await import('vitest');
  try {
    onTestFinished(close);
  } catch {
    // Not inside a test, or a child process that inherited the variable: nobody closes it.
  }
}
