import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const packages = fileURLToPath(new URL('../packages/', import.meta.url));
const isFullRun = process.env['SIGNALBOX_FULL'] === '1';

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  resolve: {
    // Tests run on the sources, so that a failing line is the line that somebody wrote.
    alias: [{ find: /^@signalbox\/([a-z-]+)$/, replacement: `${packages}$1/src/index.ts` }],
  },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'examples/*/test/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: [
      '**/node_modules/**',
      '**/dist/**',
      'test/.run/**',
      ...(isFullRun ? [] : ['**/*.full.test.ts']),
    ],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    pool: 'forks',
    // Files share a process, as packages share one in an app: loading everything anew for each takes longer than its tests.
    isolate: false,
  },
});
