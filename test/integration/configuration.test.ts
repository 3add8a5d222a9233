import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { configurationPage } from '../../examples/orchestrator/deploy/generate/configuration.js';

const page = fileURLToPath(new URL('../../docs/guide/configuration.md', import.meta.url));

// `vitest run -u` writes it.
it('the page of all settings is what their schema makes of it', async () => {
  await expect(configurationPage()).toMatchFileSnapshot(page);
});
