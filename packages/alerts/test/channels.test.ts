import { once } from 'node:events';
import express from 'express';
import { createTransport } from 'nodemailer';
import { SMTPServer } from 'smtp-server';
import { describe, expect, it, onTestFinished } from 'vitest';
import { listen, testClock } from '@signalbox/testing';
import { email, pagerDuty, slack, verifyWebhook, webhook } from '../src/index.js';
import { lever, receiver, ROUTING_KEY, SECRET, watched } from './support.js';

interface Letter {
  readonly to: readonly string[];
  readonly text: string;
}

/** A real mail server that takes letters, or says no. */
async function mailServer(): Promise<{ url: string; letters: Letter[]; refuse: (code: number) => void }> {
  const letters: Letter[] = [];
  let refusal = 0;
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onData(stream, session, callback) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => void chunks.push(chunk));
      stream.on('end', () => {
        if (refusal > 0) return callback(Object.assign(new Error('no'), { responseCode: refusal }));
        const to = session.envelope.rcptTo.map(({ address }) => address);
        // Quoted-printable, which nodemailer may choose, is undone.
        const text = Buffer.concat(chunks).toString().replaceAll('=\r\n', '').replaceAll('=3D', '=');
        letters.push({ to, text });
        callback();
      });
    },
  });
  const listening = server.listen(0, '127.0.0.1');
  await once(listening, 'listening');
  onTestFinished(() => new Promise<void>((resolve) => server.close(resolve)));
  const address = listening.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { url: `smtp://127.0.0.1:${port}`, letters, refuse: (code) => (refusal = code) };
}

describe('slack', () => {
  it('posts what Slack understands, and lets no name call people or make a link', async () => {
    const inbox = await receiver();
    const { rule, holds, gone } = lever({ severity: 'critical' });
    const { pass } = watched({
      rules: [rule],
      channels: [slack({ url: inbox.url })],
      runbooks: 'https://docs.example/runbooks',
    });
    holds('<!channel>', { title: 'Queue <!channel> & *all* is long', details: ['17 wait'] });
    await pass(20_000);
    expect(JSON.parse(inbox.received[0]?.body ?? '')).toEqual({
      text: '[CRITICAL] search (test): Queue &lt;!channel&gt; &amp; *all* is long',
      attachments: [
        {
          color: '#a30200',
          title: 'CRITICAL Queue &lt;!channel&gt; &amp; *all* is long',
          fallback: 'CRITICAL Queue &lt;!channel&gt; &amp; *all* is long',
          text: '17 wait\nsince 2026-01-31 12:00:05 UTC\nrunbook: https://docs.example/runbooks/lever',
          mrkdwn_in: [],
        },
      ],
    });
    gone('<!channel>');
    await pass(200_000);
    const over = JSON.parse(inbox.received[1]?.body ?? '') as {
      text: string;
      attachments: { text: string }[];
    };
    expect(over.text).toMatch(/^\[OVER\] search \(test\): Queue/);
    expect(over.attachments[0]?.text).toContain('from 2026-01-31 12:00:05 UTC to 2026-01-31 12:02:25 UTC');
  });

  it('counts in its headline what a message holds', async () => {
    const inbox = await receiver();
    const { rule, holds } = lever();
    const { pass } = watched({ rules: [rule], channels: [slack({ url: inbox.url })] });
    holds('a');
    holds('b', { severity: 'critical' });
    await pass(20_000);
    expect(inbox.received[0]?.body).toContain('[CRITICAL] search (test): 2 problems');
  });

  it.each(['http://hooks.slack.example/x', 'hooks.slack.example', 'https://u:p@h.example/', undefined])(
    'refuses the URL %s without showing it',
    (url) => {
      const make = (): unknown => Reflect.apply(slack, undefined, [{ url }]);
      expect(make).toThrow('slack: "url" must be an https URL without credentials, got');
      expect(make).not.toThrow('hooks');
    },
  );
});

describe('pagerDuty', () => {
  it('triggers and resolves with one key for an incident, each incident by itself', async () => {
    const inbox = await receiver();
    const { rule, holds, gone } = lever({ severity: 'critical' });
    const { pass } = watched({
      rules: [rule],
      channels: [pagerDuty({ routingKey: ROUTING_KEY, url: inbox.url })],
      runbooks: 'https://docs.example/#',
      repeatMs: 60_000,
    });
    holds('a');
    holds('b');
    await pass(600_000);
    gone('a');
    await pass(200_000);

    const events = inbox.received.map(({ body }) => JSON.parse(body) as Record<string, unknown>);
    expect(events).toHaveLength(3);
    const [a, b, resolved] = events;
    expect(a).toMatchObject({
      routing_key: ROUTING_KEY,
      event_action: 'trigger',
      client: 'search',
      links: [{ href: 'https://docs.example/#lever', text: 'Runbook' }],
      payload: {
        summary: '[CRITICAL] search (test): a is broken',
        source: 'search',
        severity: 'critical',
        timestamp: '2026-01-31T12:00:05.000Z',
        component: 'a',
        group: 'test',
        class: 'lever',
      },
    });
    expect(b).toMatchObject({ event_action: 'trigger', payload: { component: 'b' } });
    expect(resolved).toEqual({
      routing_key: ROUTING_KEY,
      event_action: 'resolve',
      dedup_key: a?.['dedup_key'],
    });
    expect(a?.['dedup_key']).toMatch(/^[0-9a-f]{32}$/);
    expect(b?.['dedup_key']).not.toBe(a?.['dedup_key']);
  });

  it('is told of nothing less than critical, unless asked to be', async () => {
    const inbox = await receiver();
    const { rule, holds } = lever();
    const { pass } = watched({
      rules: [rule],
      channels: [pagerDuty({ routingKey: ROUTING_KEY, url: inbox.url })],
    });
    holds('a');
    await pass(60_000);
    expect(inbox.received).toEqual([]);
  });

  it('resolves although it has been paged as often as it may in an hour', async () => {
    const inbox = await receiver();
    const { rule, holds, gone } = lever({ severity: 'critical' });
    const { pass } = watched({
      rules: [rule],
      channels: [pagerDuty({ routingKey: ROUTING_KEY, url: inbox.url })],
      maxPerHour: 1,
    });
    const actions = (): unknown[] =>
      inbox.received.map(({ body }) => (JSON.parse(body) as { event_action: string }).event_action);
    holds('a');
    await pass(20_000);
    holds('b');
    gone('a');
    await pass(200_000);
    expect(actions()).toEqual(['trigger', 'resolve']);
    await pass(3_600_000, 30_000);
    expect(actions()).toEqual(['trigger', 'resolve', 'trigger']);
  });

  it('leaves nothing open after a test', async () => {
    const inbox = await receiver();
    const { alerts } = watched({
      rules: [lever().rule],
      channels: [pagerDuty({ routingKey: ROUTING_KEY, url: inbox.url })],
    });
    expect(await alerts.test()).toEqual([{ channel: 'pagerduty', outcome: 'sent', error: undefined }]);
    const [trigger, resolve] = inbox.received.map(({ body }) => JSON.parse(body) as Record<string, unknown>);
    expect(trigger).toMatchObject({ event_action: 'trigger' });
    expect(resolve).toMatchObject({ event_action: 'resolve', dedup_key: trigger?.['dedup_key'] });
  });

  it('refuses a key that is none, without showing it', () => {
    const make = (): unknown => pagerDuty({ routingKey: 'hunter2' });
    expect(make).toThrow(
      'pagerDuty: "routingKey" must be of 32 letters and digits, got text of 7 characters',
    );
  });
});

describe('webhook', () => {
  it('signs what it posts, so that a receiver knows it by the secret', async () => {
    const verdicts: boolean[] = [];
    const bodies: unknown[] = [];
    const app = express();
    app.post('/hook', express.text({ type: 'application/json' }), (req, res) => {
      const timestamp = req.get('x-signalbox-timestamp');
      const signature = req.get('x-signalbox-signature');
      const body: string = String(req.body);
      bodies.push(JSON.parse(body));
      verdicts.push(
        verifyWebhook({ body, timestamp, signature, secret: SECRET }),
        verifyWebhook({ body: Buffer.from(body), timestamp, signature, secret: SECRET }),
        verifyWebhook({ body: `${body} `, timestamp, signature, secret: SECRET }),
        verifyWebhook({ body, timestamp: `${Number(timestamp) - 1}`, signature, secret: SECRET }),
        verifyWebhook({ body, timestamp, signature, secret: `${SECRET}!` }),
        verifyWebhook({ body, timestamp, signature: undefined, secret: SECRET }),
        verifyWebhook({ body, timestamp, signature: 'v1=00', secret: SECRET }),
      );
      res.sendStatus(204);
    });
    const url = `${await listen(app)}/hook`;
    const { rule, holds } = lever();
    const { pass } = watched({ rules: [rule], channels: [webhook({ url, secret: SECRET })] });
    holds('a');
    await pass(20_000);
    expect(verdicts).toEqual([true, true, false, false, false, false, false]);
    expect(bodies).toEqual([
      {
        version: 1,
        service: 'search',
        environment: 'test',
        dropped: 0,
        alerts: [
          {
            id: expect.stringMatching(/^[0-9a-f]{32}$/),
            kind: 'open',
            status: 'firing',
            rule: 'lever',
            subject: 'a',
            severity: 'warning',
            title: 'a is broken',
            details: [],
            returns: 0,
            also: [],
            openedAt: '2026-01-31T12:00:05.000Z',
          },
        ],
      },
    ]);
  });

  it('refuses what is signed, but old', async () => {
    const inbox = await receiver();
    const { alerts } = watched({
      rules: [lever().rule],
      channels: [webhook({ url: inbox.url, secret: SECRET })],
    });
    await alerts.test('webhook');
    const [message] = inbox.received;
    const delivery = {
      body: message?.body ?? '',
      timestamp: String(message?.headers['x-signalbox-timestamp']),
      signature: String(message?.headers['x-signalbox-signature']),
      secret: SECRET,
    };
    expect(verifyWebhook(delivery)).toBe(true);
    await expect.poll(() => verifyWebhook({ ...delivery, toleranceSeconds: 0.001 })).toBe(false);
  });

  it('follows no redirect: what is signed for one is not for another', async () => {
    const [inbox, other] = [await receiver(), await receiver()];
    inbox.answer(307, { location: other.url });
    const { alerts } = watched({
      rules: [lever().rule],
      channels: [webhook({ url: inbox.url, secret: SECRET })],
    });
    expect(await alerts.test()).toEqual([
      { channel: 'webhook', outcome: 'failed', error: 'the receiver answered 307' },
    ]);
    expect(other.calls).toBe(0);
  });

  it('refuses a short secret', () => {
    const make = (): unknown => webhook({ url: 'https://h.example', secret: 'short' });
    expect(make).toThrow('webhook: "secret" must be of at least 32 bytes, got text of 5 characters');
  });
});

describe('email', () => {
  it('sends letters in plain text, to all, by SMTP', async () => {
    const { url, letters } = await mailServer();
    const { rule, holds, gone } = lever();
    const channel = email({ url, from: 'alerts@search.example', to: ['ann@a.example', 'bob@b.example'] });
    const { pass } = watched({ rules: [rule], channels: [channel] });
    holds('a', { title: 'Queue is long\r\nBcc: eve@evil.example', details: ['17 wait'] });
    await pass(20_000);
    gone('a');
    await pass(200_000);

    expect(letters.map(({ to }) => to)).toEqual([
      ['ann@a.example', 'bob@b.example'],
      ['ann@a.example', 'bob@b.example'],
    ]);
    expect(letters[0]?.text).toContain('Subject: [WARNING] search (test): Queue is long Bcc: [email]');
    expect(letters[0]?.text).toContain('WARNING Queue is long Bcc: [email]');
    expect(letters[0]?.text).toContain('  17 wait');
    expect(letters[1]?.text).toContain('OVER Queue is long');
  });

  it('takes a transport that one has', async () => {
    const { url, letters } = await mailServer();
    const transport = createTransport({ url });
    const { alerts } = watched({
      rules: [lever().rule],
      channels: [email({ transport, from: 'a@a.example', to: 'ann@a.example' })],
    });
    await alerts.test();
    expect(letters[0]?.text).toContain('[TEST] search (test): This is a test; nothing is wrong');
  });

  it('keeps a letter that the server does not take now', async () => {
    const { url, letters, refuse } = await mailServer();
    const { rule, holds } = lever();
    const clock = testClock(Date.now());
    const { pass, alerts } = watched(
      { rules: [rule], channels: [email({ url, from: 'a@a.example', to: 'ann@a.example' })] },
      clock,
    );
    refuse(451);
    holds('a');
    await pass(60_000);
    expect(alerts.report().channels).toMatchObject([{ queued: 1, error: 'the mail server answered 451' }]);
    refuse(0);
    await pass(120_000);
    expect(letters).toHaveLength(1);
    expect(letters[0]?.text).toContain('This channel could not be reached since');
  });

  it.each([
    [{ from: 'a@a.example', to: 'b@b.example' }, 'email: give either "transport" or "url"'],
    [
      { url: 'http://h', from: 'a@a.example', to: 'b@b.example' },
      'email: "url" must be an smtp or smtps URL',
    ],
    [{ url: 'smtp://h', from: '', to: 'b@b.example' }, 'email: "from" must be a non-empty string'],
    [{ url: 'smtp://h', from: 'a', to: [] }, 'email: "to" must be an address or a list of them'],
    [
      { transport: {}, from: 'a', to: 'b' },
      'email: "transport" must be a nodemailer transport, got an object',
    ],
    [{ url: 'smtp://h', from: 'a', to: 'b', name: 'E Mail' }, 'email: "name" must be in kebab-case'],
    [
      { url: 'smtp://h', from: 'a', to: 'b', severity: 'fatal' },
      'email: "severity" must be "info" or "warning"',
    ],
  ])('refuses %j at construction', (options, message) => {
    expect(() => Reflect.apply(email, undefined, [options])).toThrow(message);
  });
});

describe('test', () => {
  it('says of each channel whether a message gets through, and why not', async () => {
    const [good, bad] = [await receiver(), await receiver()];
    bad.answer(403);
    const { alerts } = watched({
      rules: [lever().rule],
      channels: [
        slack({ url: good.url }),
        webhook({ url: bad.url, secret: SECRET }),
        email({ url: 'smtp://127.0.0.1:1', from: 'a@a.example', to: 'b@b.example' }),
      ],
    });
    expect(await alerts.test()).toEqual([
      { channel: 'slack', outcome: 'sent', error: undefined },
      { channel: 'webhook', outcome: 'failed', error: 'the receiver answered 403' },
      { channel: 'email', outcome: 'failed', error: 'the mail server does not answer (ESOCKET)' },
    ]);
    await expect(alerts.test('pager')).rejects.toThrow(
      'alerts.test: there is no channel "pager"; there are slack, webhook, email',
    );
  });
});
