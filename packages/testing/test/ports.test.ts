import { expect, it } from 'vitest';
import { freePort } from '../src/index.js';

it('a free port is given once, so that who starts anew on it finds it free', async () => {
  const ports = await Promise.all(Array.from({ length: 1_000 }, () => freePort()));
  expect(new Set(ports).size).toBe(ports.length);
});
