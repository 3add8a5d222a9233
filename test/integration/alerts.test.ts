import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { verifyWebhook } from '@signalbox/alerts';
import { listen } from '@signalbox/testing';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../support/eventually.js';
import { adminOf, ADMIN_SETTINGS, guestOf, type SignedIn } from '../support/identity.js';
import { temporaryFolder } from '../support/keeper.js';
import {
  runOrchestrator,
  startOrchestrator,
  WITHOUT_ACCOUNTS,
  type RunningOrchestrator,
} from '../support/orchestrator.js';
import { startRedis } from '../support/redis.js';

const SECRET = 'a secret for what is posted to the receiver';

interface Received {
  path: string;
  body: string;
  isSigned: boolean;
}

const received: Received[] = [];
let receiver: string;
let running: RunningOrchestrator;
let admin: SignedIn;

beforeAll(async () => {
  receiver = await listen(
    createServer(async (req, res) => {
      const body = await text(req);
      const { 'x-signalbox-timestamp': timestamp, 'x-signalbox-signature': signature } = req.headers;
      const isSigned = verifyWebhook({
        body,
        timestamp: String(timestamp),
        signature: String(signature),
        secret: SECRET,
      });
      received.push({ path: req.url ?? '', body, isSigned });
      res.end('ok');
    }),
  );
  running = await startOrchestrator({
    ...ADMIN_SETTINGS,
    ALERT_SLACK_URL: `${receiver}/slack`,
    ALERT_WEBHOOK_URL: `${receiver}/webhook`,
    ALERT_WEBHOOK_SECRET: SECRET,
    // Nobody listens there.
    ALERT_SMTP_URL: 'smtp://127.0.0.1:9',
    ALERT_EMAIL_TO: 'ada@example.com',
  });
  admin = await adminOf(running.url);
});
afterAll(() => running.program.stop());

describe('alerts', () => {
  it('are tried by an admin, who is told how each channel fared', async () => {
    const tested = await fetch(`${running.url}/admin/alerts/test`, { method: 'POST', headers: admin.bearer });
    expect(tested.status).toBe(200);
    const { channels } = (await tested.json()) as { channels: { channel: string; outcome: string }[] };
    expect(channels.map(({ channel, outcome }) => [channel, outcome])).toEqual([
      ['log', 'sent'],
      ['slack', 'sent'],
      ['email', 'failed'],
      ['webhook', 'sent'],
    ]);
    expect(new Map(received.map(({ path, isSigned }) => [path, isSigned]))).toEqual(
      new Map([
        ['/slack', false],
        ['/webhook', true],
      ]),
    );
    expect(received.find(({ path }) => path === '/webhook')?.body).toContain('"service":"orchestrator"');
    await eventually(() => running.log().some((line) => line['alert'] === 'test'));
  });

  it('are shown with the state of their channels to admins, and to nobody else', async () => {
    const url = `${running.url}/admin/alerts`;
    expect(await (await fetch(url, { headers: admin.bearer })).json()).toMatchObject({
      incidents: [],
      channels: [{ channel: 'log' }, { channel: 'slack' }, { channel: 'email' }, { channel: 'webhook' }],
      rules: expect.arrayContaining([expect.objectContaining({ rule: 'error-rate' })]) as unknown,
    });
    expect((await fetch(url, { headers: await guestOf(running.url) })).status).toBe(403);
  });

  it('have a page each that says what to do', async () => {
    const { rules } = (await (
      await fetch(`${running.url}/admin/alerts`, { headers: admin.bearer })
    ).json()) as { rules: { rule: string }[] };
    for (const name of [...rules.map(({ rule }) => rule), 'certificate', 'backup-age']) {
      const page = await fetch(`${running.url}/docs/guide/runbooks/${name}`);
      expect([name, page.status]).toEqual([name, 200]);
      expect(await page.text()).toMatch(new RegExp(`^# ${name}\n`));
    }
  });

  it('tell that nothing has been backed up, where it is said how that is seen', {
    timeout: 60_000,
  }, async () => {
    const { path } = temporaryFolder('backups');
    const other = await startOrchestrator({ ...ADMIN_SETTINGS, BACKUP_SUCCESS_FILE: `${path}/last-success` });
    const { bearer } = await adminOf(other.url);
    await eventually(async () => {
      const answer = await fetch(`${other.url}/admin/alerts`, { headers: bearer });
      const { incidents } = (await answer.json()) as { incidents: { rule: string }[] };
      return incidents.some(({ rule }) => rule === 'backup-age');
    }, 30_000);
    await other.program.stop();
  });

  it('are told once by several processes, also when these are stopped meanwhile', {
    timeout: 90_000,
  }, async () => {
    const redis = await startRedis();
    onTestFinished(() => redis.stop());
    const before = received.length;
    const opened = (): unknown[] =>
      received
        .slice(before)
        .flatMap(({ body }) => (JSON.parse(body) as { alerts: { kind: string; rule: string }[] }).alerts)
        .filter(({ kind, rule }) => kind === 'open' && rule === 'backup-age');
    const settings = {
      ...WITHOUT_ACCOUNTS,
      SECRET_KEYS: 'one secret for all processes of this test',
      REDIS_URL: redis.url,
      BACKUP_SUCCESS_FILE: '/nowhere/last-success',
      ALERT_WEBHOOK_URL: `${receiver}/webhook`,
      ALERT_WEBHOOK_SECRET: SECRET,
    };
    const nodes = await Promise.all([startOrchestrator(settings), startOrchestrator(settings)]);
    await eventually(() => opened().length > 0, 60_000);
    for (const { program } of nodes) await program.stop();
    expect(opened()).toHaveLength(1);
    // Who comes next need not wait until their time is up.
    expect(await redis.command('keys', 'signalbox:alerts:*:leader')).toBe('');
  });

  it.each([
    ['mail without a server', { ALERT_EMAIL_TO: 'ada@example.com' }, 'ALERT_EMAIL_TO must be set together'],
    [
      'Slack without TLS',
      { ALERT_SLACK_URL: 'http://slack.example/x' },
      'ALERT_SLACK_URL must be an https URL',
    ],
  ])('are not set up by halves: %s', async (_what, settings, complaint) => {
    const program = await runOrchestrator(settings);
    expect(await program.exited).toMatchObject({ code: 78 });
    expect(program.output()).toContain(complaint);
    expect(program.output()).not.toContain('slack.example');
  });
});
