import { createHash, randomBytes } from 'node:crypto';
import { passwords } from '@signalbox/auth';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { accountOf, postJson, type SignedIn } from '../support/identity.js';
import { startOrchestrator, type RunningOrchestrator } from '../support/orchestrator.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { startRedis } from '../support/redis.js';

const NEW_PASSWORD = 'another one after the theft';

let postgres: PostgresServer;
let client: pg.Client;
let running: RunningOrchestrator;

beforeAll(async () => {
  postgres = await startPostgres();
  running = await startOrchestrator({ DATABASE_URL: postgres.url });
  client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
}, 60_000);
afterAll(async () => {
  await Promise.all([running.program.stop(), client.end()]);
  await postgres.stop();
});

/** A link that was sent to somebody. */
async function linkFor({ id }: SignedIn): Promise<string> {
  const token = randomBytes(32).toString('base64url');
  await client.query(
    `insert into password_resets (token_hash, user_id, expires_at) values ($1, $2, now() + interval '1 hour')`,
    [createHash('sha256').update(token).digest(), id],
  );
  return token;
}

const reset = (token: string, password = NEW_PASSWORD): Promise<Response> =>
  postJson(`${running.url}/auth/password/reset`, { token, password });
const login = ({ email }: SignedIn, password: string): Promise<Response> =>
  postJson(`${running.url}/auth/login`, { email, password });
const change = (account: SignedIn, newPassword: string): Promise<Response> =>
  postJson(
    `${running.url}/auth/password/change`,
    { password: account.password, newPassword },
    account.bearer,
  );

/** Does something while all that asks a table has to wait, and lets it go on then. */
async function whileLocked(lock: string, work: () => Promise<unknown>): Promise<void> {
  await client.query('begin');
  try {
    await client.query(lock);
    await work();
  } finally {
    await client.query('commit');
  }
}

/** Waits until so many statements wait for a lock. */
async function waiting(count: number): Promise<void> {
  await eventually(async () => {
    const { rows } = await client.query<{ count: number }>(
      `select count(*)::int as count from pg_stat_activity where wait_event_type = 'Lock'`,
    );
    return rows[0]?.count === count;
  });
}

describe('a password that is reset', () => {
  it('lets nobody in who gave the old one a moment before', async () => {
    const account = await accountOf(running.url);
    const token = await linkFor(account);
    let signingIn: Promise<Response> | undefined;
    // The old password has been found to be right, and what comes next waits.
    await whileLocked('lock table second_factors in access exclusive mode', async () => {
      signingIn = login(account, account.password);
      await waiting(1);
      expect((await reset(token)).status).toBe(204);
    });
    const answer = await signingIn;
    expect(answer?.status).toBe(401);
    const { rows } = await client.query(
      `select 1 from audit_log where event = 'signed_in' and user_id = $1`,
      [account.id],
    );
    expect(rows).toHaveLength(1);
    expect((await login(account, NEW_PASSWORD)).status).toBe(200);
  });

  it('is not replaced by whoever changes the old one at the same time', async () => {
    const account = await accountOf(running.url);
    const token = await linkFor(account);
    let resetting: Promise<Response> | undefined;
    let changing: Promise<Response> | undefined;
    await whileLocked(`select 1 from users where id = '${account.id}' for update`, async () => {
      resetting = reset(token);
      await waiting(1);
      changing = change(account, 'what the thief would like');
      await waiting(2);
    });
    expect((await resetting)?.status).toBe(204);
    // Refused, or signed out before it could be.
    expect([401, 422]).toContain((await changing)?.status);
    expect((await login(account, NEW_PASSWORD)).status).toBe(200);
  });

  it('makes other links worthless, and so does a change', async () => {
    const account = await accountOf(running.url);
    const [first, second] = [await linkFor(account), await linkFor(account)];
    expect((await reset(first)).status).toBe(204);
    expect((await reset(second, 'with the other link')).status).toBe(401);

    const other = await accountOf(running.url);
    const third = await linkFor(other);
    expect((await change(other, NEW_PASSWORD)).status).toBe(204);
    expect((await reset(third)).status).toBe(401);
  });

  it('is not the address of whose it is, and the link is good for another try', async () => {
    const account = await accountOf(running.url);
    const token = await linkFor(account);
    const refused = await reset(token, account.email.split('@')[0]);
    expect(refused.status).toBe(422);
    expect(await refused.json()).toMatchObject({ error: { type: 'weak_password' } });
    expect((await reset(token)).status).toBe(204);
  });
});

it('a password is not reset while nobody can be signed out, and the link is good for another try', async () => {
  const redis = await startRedis();
  const sharing = await startOrchestrator({ DATABASE_URL: postgres.url, REDIS_URL: redis.url });
  try {
    const account = await accountOf(sharing.url);
    const body = { token: await linkFor(account), password: NEW_PASSWORD };
    redis.pause();
    expect((await postJson(`${sharing.url}/auth/password/reset`, body)).status).toBe(503);
    redis.resume();
    await eventually(async () => (await postJson(`${sharing.url}/auth/password/reset`, body)).status === 204);
    const me = await fetch(`${sharing.url}/api/v1/me`, { headers: { cookie: account.cookie } });
    expect(me.status).toBe(401);
  } finally {
    redis.resume();
    await sharing.program.stop();
    await redis.stop();
  }
}, 40_000);

it('of links that are asked for at the same time one is good', async () => {
  const account = await accountOf(running.url);
  await Promise.all(
    Array.from({ length: 5 }, () =>
      postJson(`${running.url}/auth/password/forgot`, { email: account.email }),
    ),
  );
  await eventually(async () => {
    const { rows } = await client.query(
      `select 1 from audit_log where event = 'password_reset_asked' and user_id = $1`,
      [account.id],
    );
    return rows.length >= 3;
  });
  const { rows } = await client.query('select 1 from password_resets where user_id = $1', [account.id]);
  expect(rows).toHaveLength(1);
});

it('a password that is hashed anew at a sign-in lets in who signs in at the same time', async () => {
  const account = await accountOf(running.url);
  const cheap = await passwords({ logN: 11 }).hash(account.password);
  await client.query('update users set password_hash = $2 where id = $1', [account.id, cheap]);
  const answers = await Promise.all([1, 2, 3].map(() => login(account, account.password)));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  const { rows } = await client.query<{ password_hash: string }>(
    'select password_hash from users where id = $1',
    [account.id],
  );
  expect(rows[0]?.password_hash).toMatch(/^\$scrypt\$ln=12,/);
});

it('a password that is changed twice at the same time is changed once', async () => {
  const account = await accountOf(running.url);
  const answers = await Promise.all([
    change(account, 'the first of the two'),
    change(account, 'the second of the two'),
  ]);
  expect(answers.map(({ status }) => status).toSorted((one, other) => one - other)).toEqual([204, 422]);
});
