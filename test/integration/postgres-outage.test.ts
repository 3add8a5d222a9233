import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.js';
import {
  accountOf,
  adminOf,
  ADMIN_SETTINGS,
  guestOf,
  postJson,
  signInOf,
  type SignedIn,
} from '../support/identity.js';
import { startOrchestrator, type RunningOrchestrator } from '../support/orchestrator.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { waitUntil } from '../support/program.js';

/** How long a sign-in may take to say that it cannot be done: the wait for a connection, and some room. */
const ANSWERED_WITHIN_MS = 2_000 + 1_000;

let postgres: PostgresServer;
let proxy: FaultProxy;
let running: RunningOrchestrator;
let account: SignedIn;

beforeAll(async () => {
  postgres = await startPostgres();
  proxy = await startFaultProxy({ to: postgres.port });
  running = await startOrchestrator({
    ...ADMIN_SETTINGS,
    DATABASE_URL: postgres.url.replace(String(postgres.port), String(proxy.port)),
    RATE_LOGIN: '10000/m',
  });
  account = await accountOf(running.url);
}, 60_000);
afterAll(async () => {
  await running.program.stop();
  await proxy.stop();
  await postgres.stop();
});

async function signIn(): Promise<{ status: number; type: string | undefined; tookMs: number }> {
  const begin = performance.now();
  const { email, password } = account;
  const response = await postJson(`${running.url}/auth/login`, { email, password });
  const body = (await response.json()) as { error?: { type: string } };
  return { status: response.status, type: body.error?.type, tookMs: performance.now() - begin };
}

async function statusOf(path: string): Promise<number> {
  return (await fetch(running.url + path, { headers: account.bearer })).status;
}

describe('while Postgres', () => {
  it.each<[string, () => Promise<unknown> | void, () => Promise<unknown> | void]>([
    ['is killed', () => postgres.kill(), () => postgres.restart()],
    ['is frozen', () => postgres.pause(), () => postgres.resume()],
    ['refuses connections', () => proxy.refuse(), () => proxy.pass()],
    ['loses all that is sent', () => proxy.blackhole(), () => proxy.pass()],
    ['is slow', () => proxy.delay(60_000), () => proxy.pass()],
  ])(
    '%s, sign-in answers 503 in time, search and tokens go on, and all is well afterwards',
    async (_fault, apply, heal) => {
      await apply();
      for (let n = 0; n < 3; n += 1) {
        const { status, tookMs } = await signIn();
        expect(status).toBe(503);
        expect(tookMs).toBeLessThan(ANSWERED_WITHIN_MS);
        expect(await statusOf('/api/v1/search?q=express')).toBe(200);
        expect(await statusOf('/api/v1/me')).toBe(200);
      }
      const guest = await guestOf(running.url);
      expect((await fetch(`${running.url}/api/v1/search?q=express`, { headers: guest })).status).toBe(200);
      expect(await statusOf('/auth/keys')).toBe(503);
      expect((await fetch(`${running.url}/livez`)).status).toBe(200);
      expect((await fetch(`${running.url}/readyz`)).status).toBe(200);

      await heal();
      expect(await waitUntil(async () => (await signIn()).status === 200, 15_000)).toBe(true);
      expect(await statusOf('/auth/keys')).toBe(200);
      expect(running.program.output()).not.toMatch(/unhandled|uncaught/i);
    },
    60_000,
  );

  it('is frozen, an admin has what is kept forgotten, and is told that it is', async () => {
    const admin = await adminOf(running.url);
    postgres.pause();
    const begin = performance.now();
    const answer = await postJson(`${running.url}/admin/cache/invalidate`, { tag: 'search' }, admin.bearer);
    postgres.resume();
    expect(answer.status).toBe(204);
    expect(performance.now() - begin).toBeLessThan(1_000);
  });

  it('has tables that a migration cannot change, a process is not ready, and is once they are right', async () => {
    const other = await startPostgres();
    const client = new pg.Client({ connectionString: other.url });
    await client.connect();
    await client.query('CREATE TABLE users (mine int)');
    const wrong = await startOrchestrator({ DATABASE_URL: other.url });
    const readiness = async (): Promise<unknown> => (await fetch(`${wrong.url}/readyz`)).json();
    await expect
      .poll(readiness, { timeout: 20_000 })
      .toMatchObject({ status: 'not_ready', failing: ['tables'] });
    const headers = await guestOf(wrong.url);
    expect((await fetch(`${wrong.url}/api/v1/search?q=express`, { headers })).status).toBe(200);

    await client.query('DROP TABLE users');
    await client.end();
    expect(await waitUntil(async () => (await fetch(`${wrong.url}/readyz`)).status === 200, 20_000)).toBe(
      true,
    );
    await accountOf(wrong.url);
    await wrong.program.stop();
    await other.stop();
  }, 60_000);

  it('is dead at the start, all else starts, and sign-in comes with it', async () => {
    await postgres.kill();
    const late = await startOrchestrator({ DATABASE_URL: postgres.url });
    try {
      const { email, password } = account;
      const headers = await guestOf(late.url);
      expect((await fetch(`${late.url}/api/v1/search?q=express`, { headers })).status).toBe(200);
      const refused = await postJson(`${late.url}/auth/login`, { email, password });
      expect(refused.status).toBe(503);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      expect((await fetch(`${late.url}/readyz`)).status).toBe(200);
      await postgres.restart();
      const signedIn = async (): Promise<boolean> =>
        signInOf(late.url, { email, password }).then(
          () => true,
          () => false,
        );
      expect(await waitUntil(signedIn, 30_000)).toBe(true);
    } finally {
      await late.program.stop();
    }
  }, 60_000);
});
