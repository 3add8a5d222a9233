import { Secret, TOTP } from 'otpauth';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accountOf, postJson, signInOf, type Credentials } from '../support/identity.js';
import { startReady, type RunningOrchestrator } from '../support/orchestrator.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';

let postgres: PostgresServer;
let client: pg.Client;
let running: RunningOrchestrator;

beforeAll(async () => {
  postgres = await startPostgres();
  running = await startReady({ DATABASE_URL: postgres.url, RATE_LOGIN: '3/m', TRUST_PROXY: 'loopback' });
  client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  await client.query(`
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the disk is full'; END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON audit_log EXECUTE FUNCTION refuse();
    ALTER TABLE audit_log DISABLE TRIGGER refuse;
  `);
}, 60_000);
afterAll(async () => {
  await client.end();
  await running.program.stop();
  await postgres.stop();
});

const post = (path: string, body: unknown, headers?: Credentials): Promise<Response> =>
  postJson(running.url + path, body, headers);

async function statusOfMe(headers: Credentials): Promise<number> {
  return (await fetch(`${running.url}/api/v2/me`, { headers })).status;
}

async function whileNothingIsRecorded(act: () => Promise<void>): Promise<void> {
  await client.query('ALTER TABLE audit_log ENABLE TRIGGER refuse');
  try {
    await act();
  } finally {
    await client.query('ALTER TABLE audit_log DISABLE TRIGGER refuse');
  }
}

describe('while the audit log takes nothing', () => {
  it('wrong passwords are counted all the same', async () => {
    const { email, password } = await accountOf(running.url);
    const statuses: number[] = [];
    await whileNothingIsRecorded(async () => {
      for (let n = 0; n < 4; n += 1) {
        const from = { 'x-forwarded-for': `192.0.2.${n}` };
        statuses.push((await post('/auth/login', { email, password: `${password}${n}` }, from)).status);
      }
    });
    expect(statuses).toEqual([401, 401, 401, 429]);
  });

  it('somebody may register, sign in, is shown a new key, and forgets what was searched', async () => {
    await whileNothingIsRecorded(async () => {
      const account = await accountOf(running.url);
      const made = await post('/auth/keys', { name: 'a' }, account.bearer);
      expect(made.status).toBe(201);
      const { id, key } = (await made.json()) as { id: string; key: string };
      expect(await statusOfMe({ 'x-api-key': key })).toBe(200);
      const revoked = await fetch(`${running.url}/auth/keys/${id}`, {
        method: 'DELETE',
        headers: account.bearer,
      });
      expect(revoked.status).toBe(204);
      const forgotten = await fetch(`${running.url}/api/v2/history`, {
        method: 'DELETE',
        headers: account.bearer,
      });
      expect(forgotten.status).toBe(204);
    });
  });

  it('recovery codes are shown, which nobody could see again', async () => {
    const account = await accountOf(running.url);
    const begun = await post('/auth/second-factor', {}, account.bearer);
    const { secret } = (await begun.json()) as { secret: string };
    await whileNothingIsRecorded(async () => {
      const code = new TOTP({ secret: Secret.fromBase32(secret) }).generate();
      const confirmed = await post('/auth/second-factor/confirm', { code }, account.bearer);
      expect(confirmed.status).toBe(200);
      const { recoveryCodes } = (await confirmed.json()) as { recoveryCodes: string[] };
      const { email, password } = account;
      expect((await post('/auth/login', { email, password, code: recoveryCodes[0] })).status).toBe(200);
    });
  });

  it('no password is changed, nobody is signed out, and all of it is done the next time', async () => {
    const account = await accountOf(running.url);
    const other = await signInOf(running.url, account);
    const body = { password: account.password, newPassword: 'another winter in the south' };
    await whileNothingIsRecorded(async () => {
      expect((await post('/auth/password/change', body, account.bearer)).status).toBe(500);
    });
    expect((await post('/auth/password/change', body, account.bearer)).status).toBe(204);
    expect(await statusOfMe(other.bearer)).toBe(401);
    expect(await statusOfMe(account.bearer)).toBe(200);
    await signInOf(running.url, { email: account.email, password: body.newPassword });
  });
});
