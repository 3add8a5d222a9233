import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { accountOf, postJson } from '../support/identity.js';
import { startOrchestrator } from '../support/orchestrator.js';
import { waitUntil } from '../support/program.js';

/** For so long two tabs may bring the same refresh token. */
const GRACE_MS = 10_000;

it('a refresh token that is used again after its grace ends the whole sign-in, the session too', async () => {
  const { url, program } = await startOrchestrator();
  try {
    const { cookie, bearer, refreshToken, id } = await accountOf(url);
    const refresh = (): Promise<Response> => postJson(`${url}/auth/refresh`, { refreshToken });
    const statusOf = async (headers: Record<string, string>): Promise<number> =>
      (await fetch(`${url}/api/v1/me`, { headers })).status;
    expect((await refresh()).status).toBe(200);
    expect(await statusOf({ cookie })).toBe(200);

    await pause(GRACE_MS + 500);
    const refused = await refresh();
    expect(refused.status).toBe(401);
    expect(((await refused.json()) as { error: { type: string } }).error.type).toBe('token_reused');
    expect(await statusOf(bearer)).toBe(401);
    expect(await waitUntil(async () => (await statusOf({ cookie })) === 401)).toBe(true);
    expect(program.output()).toContain('a refresh token was used twice');
    expect(program.output()).toContain(id);
  } finally {
    await program.stop();
  }
}, 60_000);
