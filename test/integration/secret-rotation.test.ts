import { Secret, TOTP } from 'otpauth';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { accountOf, postJson, type SignedIn } from '../support/identity.js';
import { startOrchestrator, type RunningOrchestrator } from '../support/orchestrator.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';

const [FIRST, SECOND, THIRD] = [
  'the first secret that has to go one day',
  'the second secret that comes in front of it',
  'the third secret that is there in the end',
];

let postgres: PostgresServer;
let client: pg.Client;

beforeAll(async () => {
  postgres = await startPostgres();
  client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
}, 60_000);
afterAll(async () => {
  await client.end();
  await postgres.stop();
});

/** An account with all that is made under a secret and lasts. */
interface Holder extends SignedIn {
  readonly key: string;
  readonly authenticator: TOTP;
  readonly recoveryCodes: string[];
}

async function holderOf(url: string): Promise<Holder> {
  const account = await accountOf(url);
  const made = await postJson(`${url}/auth/keys`, { name: 'a program' }, account.bearer);
  const { key } = (await made.json()) as { key: string };
  const begun = await postJson(`${url}/auth/second-factor`, {}, account.bearer);
  const authenticator = new TOTP({
    secret: Secret.fromBase32(((await begun.json()) as { secret: string }).secret),
  });
  const confirmed = await postJson(
    `${url}/auth/second-factor/confirm`,
    { code: authenticator.generate() },
    account.bearer,
  );
  const { recoveryCodes } = (await confirmed.json()) as { recoveryCodes: string[] };
  return { ...account, key, authenticator, recoveryCodes };
}

async function running<Result>(
  secrets: readonly string[],
  processes: number,
  work: (all: readonly RunningOrchestrator[]) => Promise<Result>,
): Promise<Result> {
  const settings = {
    DATABASE_URL: postgres.url,
    PUBLIC_URL: 'http://127.0.0.1:8889',
    SECRET_KEYS: secrets.join(','),
  };
  const all = await Promise.all(Array.from({ length: processes }, () => startOrchestrator(settings)));
  try {
    return await work(all);
  } finally {
    await Promise.all(all.map(({ program }) => program.stop()));
  }
}

async function withKey({ url }: RunningOrchestrator, { key }: Holder): Promise<number> {
  return (await fetch(`${url}/api/v1/me`, { headers: { 'x-api-key': key } })).status;
}

async function signIn({ url }: RunningOrchestrator, { email, password }: Holder, code = ''): Promise<string> {
  const response = await postJson(`${url}/auth/login`, { email, password, code });
  const { error } = (await response.json()) as { error?: { type: string } };
  return [response.status, error?.type].join(' ').trim();
}

/** What the database has of an account that hangs on a secret. */
async function kept({ id }: Holder): Promise<{ hash: string; box: string }> {
  const { rows } = await client.query<{ hash: string; box: string }>(
    `select hash, encode(secret, 'hex') as box from api_keys join second_factors using (user_id) where user_id = $1`,
    [id],
  );
  if (rows[0] === undefined) throw new Error('The account has no key and no second factor');
  return rows[0];
}

/** As if all that has happened had happened a day before. */
async function aDayPasses(): Promise<void> {
  await client.query(`update api_keys set created_at = created_at - interval '1 day',
    last_used_at = last_used_at - interval '1 day'`);
  await client.query(`update second_factors set confirmed_at = confirmed_at - interval '1 day',
    last_step = last_step - 24 * 60 * 2`);
}

/** What has not been used in the last hours: what an operator asks before a secret goes. */
async function unused(): Promise<{ keys: number; factors: number }> {
  const { rows } = await client.query<{ keys: number; factors: number }>(
    `select
       (select count(*)::int from api_keys
        where coalesce(last_used_at, created_at) < now() - interval '6 hours'
          and (expires_at is null or expires_at > now())) as keys,
       (select count(*)::int from second_factors
        where greatest(confirmed_at, to_timestamp(last_step * 30)) < now() - interval '6 hours'
          and confirmed_at is not null) as factors`,
  );
  return rows[0] ?? { keys: -1, factors: -1 };
}

describe('the oldest of SECRET_KEYS', () => {
  let active: Holder;
  let away: Holder;

  beforeAll(async () => {
    [active, away] = await running([FIRST], 1, async ([first]) => {
      const url = first?.url ?? '';
      return [await holderOf(url), await holderOf(url)];
    });
    await aDayPasses();
  }, 60_000);

  it('is not needed any more by keys and second factors that were used since, on several processes at once', async () => {
    const boxes = new Set<string>();
    for (const secrets of [
      [SECOND, FIRST],
      [THIRD, SECOND, FIRST],
    ]) {
      const before = await kept(active);
      expect(await unused()).toEqual({ keys: 2, factors: 2 });
      await running(secrets, 2, async ([here, there]) => {
        if (here === undefined || there === undefined) throw new Error('Two processes were wanted');
        expect(await Promise.all([withKey(here, active), withKey(there, active)])).toEqual([200, 200]);
        const code = active.authenticator.generate();
        const recovery = active.recoveryCodes.shift();
        const signedIn = [
          signIn(here, active, code),
          signIn(there, active, code),
          signIn(there, active, recovery),
        ];
        expect((await Promise.all(signedIn)).toSorted()).toEqual(['200', '200', '401 invalid_credentials']);
        await eventually(async () => (await kept(active)).hash !== before.hash);
        expect(await Promise.all([withKey(here, active), withKey(there, active)])).toEqual([200, 200]);
        await eventually(async () => (await unused()).keys === 1);
      });
      expect(await unused()).toEqual({ keys: 1, factors: 1 });
      const { box } = await kept(active);
      expect(box).not.toBe(before.box);
      boxes.add(box);
      await aDayPasses();
    }
    expect(boxes).toHaveLength(2);

    await running([THIRD], 2, async (processes) => {
      for (const each of processes) {
        expect(await withKey(each, active)).toBe(200);
        expect(await signIn(each, active, active.recoveryCodes.shift())).toBe('200');
      }
      const [first] = processes;
      if (first === undefined) throw new Error('There is no process');
      expect(await signIn(first, active, active.authenticator.generate())).toBe('200');
    });
  }, 60_000);

  it('lets nobody in without the second factor where it went too early, says why, and may come back', async () => {
    await running([THIRD], 1, async ([first]) => {
      if (first === undefined) throw new Error('There is no process');
      expect(await withKey(first, away)).toBe(401);
      for (const code of [away.authenticator.generate(), away.recoveryCodes[0], '000000']) {
        expect(await signIn(first, away, code)).toBe('503 second_factor_unavailable');
      }
      await eventually(() => first.log().filter(({ status }) => status === 503).length === 3);
      const lines = first.log().filter(({ level }) => level === 'error');
      expect(lines).toHaveLength(3);
      for (const line of lines) {
        expect(line).toMatchObject({ status: 503, route: '/auth/login' });
        expect(JSON.stringify(line)).toContain(
          'not in SECRET_KEYS any more. Put that back, at the end of the list',
        );
      }
    });

    await running([THIRD, SECOND, FIRST], 1, async ([first]) => {
      if (first === undefined) throw new Error('There is no process');
      expect(await withKey(first, away)).toBe(200);
      expect(await signIn(first, away, away.recoveryCodes[0])).toBe('200');
      expect(await signIn(first, away, away.authenticator.generate())).toBe('200');
    });
  }, 60_000);
});
