import { signals } from '@signalbox/signals';
import { freePort } from '@signalbox/testing';
import { describe, expect, it } from 'vitest';
import { heard, heardFeature } from '../../../test/support/heard.js';
import { DeliveryError, pagerDuty, slack, webhook, type AlertChannel } from '../src/index.js';
import { lever, receiver, ROUTING_KEY, SECRET, told, watched } from './support.js';

const HOUR_MS = 3_600_000;

describe('a receiver that is down', () => {
  it('gets all that it missed in an hour of 500s, in order, and is told since when', async () => {
    const inbox = await receiver();
    const { rule, holds, gone } = lever();
    const { pass, alerts } = watched({
      rules: [rule],
      channels: [webhook({ url: inbox.url, secret: SECRET })],
    });
    inbox.answer(500);
    for (let count = 0; count < 60; count += 1) {
      holds(`s${count}`);
      if (count % 2 === 0) gone(`s${count - 2}`);
      await pass(60_000, 20_000);
    }
    expect(alerts.report().channels).toMatchObject([
      { channel: 'webhook', error: 'the receiver answered 500', dropped: 0 },
    ]);
    // Not once a turn, and not never: at most some 70 tries in an hour.
    expect(inbox.calls).toBeGreaterThan(30);
    expect(inbox.calls).toBeLessThan(90);

    inbox.answer(200);
    await pass(200_000);
    const lines = told(inbox);
    for (let count = 0; count < 60; count += 1) {
      expect(lines.filter((line) => line.endsWith(` s${count}`)).length).toBeGreaterThanOrEqual(1);
    }
    expect(lines).toContain('over s0');
    expect(JSON.parse(inbox.received[0]?.body ?? '')).toMatchObject({
      unreachableSince: '2026-01-31T12:00:40.000Z',
      dropped: 0,
    });
    expect(alerts.report().channels).toMatchObject([
      { queued: 0, failingSince: undefined, error: undefined },
    ]);
  });

  it('drops what is more than may wait, counts it, and says how much it was', async () => {
    const inbox = await receiver();
    const suppressed = heard(signals.alertSent);
    const { rule, holds } = lever();
    const { pass, alerts } = watched({
      rules: [rule],
      channels: [webhook({ url: inbox.url, secret: SECRET })],
      maxQueued: 10,
    });
    inbox.answer(503);
    for (let count = 0; count < 25; count += 1) holds(`s${count}`);
    await pass(HOUR_MS, 30_000);
    expect(alerts.report().channels).toMatchObject([{ queued: 10, dropped: 15 }]);
    expect(suppressed.filter(({ outcome }) => outcome === 'suppressed')).toHaveLength(15);

    inbox.answer(200);
    await pass(200_000);
    expect(told(inbox)).toHaveLength(10);
    expect(JSON.parse(inbox.received[0]?.body ?? '')).toMatchObject({ dropped: 15 });
    expect(alerts.report().channels).toMatchObject([{ queued: 0, dropped: 0 }]);
  });

  it('makes a page of what is over by now as well, and closes it at once', async () => {
    const inbox = await receiver();
    const { rule, holds, gone } = lever({ severity: 'critical' });
    const { pass } = watched({
      rules: [rule],
      channels: [pagerDuty({ routingKey: ROUTING_KEY, url: inbox.url })],
    });
    inbox.answer(500);
    holds('a');
    await pass(60_000);
    gone('a');
    await pass(HOUR_MS, 30_000);
    inbox.answer(202);
    await pass(200_000);
    const actions = inbox.received.map(
      ({ body }) => (JSON.parse(body) as { event_action: string }).event_action,
    );
    expect(actions).toEqual(['trigger', 'resolve']);
  });

  it('is none that took our message and refused it for itself: the next one says what was dropped, and no more', async () => {
    const inbox = await receiver();
    const { rule, holds } = lever();
    const { pass, alerts } = watched({
      rules: [rule],
      channels: [webhook({ url: inbox.url, secret: SECRET })],
    });
    inbox.answer(400);
    holds('a');
    await pass(20_000);
    expect(alerts.report().channels).toMatchObject([{ dropped: 1, error: 'the receiver answered 400' }]);
    inbox.answer(200);
    holds('b');
    await pass(20_000);
    const message = JSON.parse(inbox.received[0]?.body ?? '') as object;
    expect(message).toMatchObject({ alerts: [{ subject: 'b' }], dropped: 1 });
    expect(message).not.toHaveProperty('unreachableSince');
  });

  it('gets what waits for it when all ends, be it a moment after it failed', async () => {
    const inbox = await receiver();
    const { rule, holds } = lever();
    const { pass, alerts } = watched({
      rules: [rule],
      channels: [webhook({ url: inbox.url, secret: SECRET })],
    });
    inbox.answer(503, { 'retry-after': '60' });
    holds('a');
    await pass(20_000);
    expect(inbox.calls).toBe(1);
    inbox.answer(200);
    await alerts.close();
    expect(told(inbox)).toEqual(['open a']);
  });

  it('does not hold up other channels', async () => {
    const [dead, good] = [await receiver(), await receiver()];
    dead.answer(0);
    const { rule, holds } = lever();
    const { pass, alerts } = watched({
      rules: [rule],
      channels: [slack({ url: dead.url }), webhook({ url: good.url, secret: SECRET })],
      deadlineMs: 200,
    });
    holds('a');
    await pass(20_000);
    expect(told(good)).toEqual(['open a']);
    expect(alerts.report().channels).toMatchObject([
      { channel: 'slack', queued: 1, error: 'it took longer than 200 ms' },
      { channel: 'webhook', queued: 0 },
    ]);
  });

  it('waits no longer than the deadline for a channel that heeds no signal and never settles', async () => {
    const good = await receiver();
    const deaf: AlertChannel = {
      name: 'deaf',
      severity: 'info',
      isGrouped: true,
      wantsRepeats: false,
      send: () => new Promise(() => undefined),
    };
    const { rule, holds } = lever();
    const channels = [deaf, webhook({ url: good.url, secret: SECRET })];
    const { pass, alerts } = watched({ rules: [rule], channels, deadlineMs: 100 });
    holds('a');
    await pass(20_000);
    expect(told(good)).toEqual(['open a']);
    expect(alerts.report().channels[0]).toMatchObject({ queued: 1 });
  });

  it('says that a channel is gone, and that it is back, so that health shows it', async () => {
    const inbox = await receiver();
    const states = heardFeature('alerts');
    const { rule, holds } = lever();
    const { pass } = watched({ rules: [rule], channels: [slack({ url: inbox.url })] });
    inbox.answer(500);
    holds('a');
    await pass(120_000);
    expect(states).toEqual([
      { feature: 'alerts', degraded: true, policy: 'unavailable', reason: 'Nothing gets through to slack' },
    ]);
    inbox.answer(200);
    await pass(120_000);
    expect(states[1]).toMatchObject({ feature: 'alerts', degraded: false });
  });

  it('waits for as long as the receiver asks', async () => {
    const inbox = await receiver();
    const { rule, holds } = lever();
    const { pass } = watched({ rules: [rule], channels: [slack({ url: inbox.url })] });
    inbox.answer(429, { 'retry-after': '600' });
    holds('a');
    await pass(590_000);
    expect(inbox.calls).toBe(1);
    await pass(60_000);
    expect(inbox.calls).toBe(2);
  });

  it('drops a message that the receiver will not take, and goes on with the next', async () => {
    const inbox = await receiver();
    const { rule, holds } = lever();
    const { pass, alerts } = watched({ rules: [rule], channels: [slack({ url: inbox.url })] });
    inbox.answer(400);
    holds('a');
    await pass(20_000);
    inbox.answer(200);
    expect(alerts.report().channels).toMatchObject([
      { queued: 0, dropped: 1, error: 'the receiver answered 400' },
    ]);
    holds('b');
    await pass(60_000);
    expect(inbox.received).toHaveLength(1);
    expect(inbox.received[0]?.body).toContain('1 notice was dropped.');
  });

  it('keeps what waits while a key is refused, and tries now and then', async () => {
    const inbox = await receiver();
    const { rule, holds } = lever();
    const { pass } = watched({ rules: [rule], channels: [slack({ url: inbox.url })] });
    inbox.answer(403);
    holds('a');
    await pass(HOUR_MS, 30_000);
    expect(inbox.calls).toBeLessThan(14);
    inbox.answer(200);
    await pass(400_000);
    expect(inbox.received).toHaveLength(1);
  });

  it('shows neither addresses nor keys in what it says of a failure', async () => {
    const { rule, holds } = lever();
    const channel: AlertChannel = {
      name: 'own',
      severity: 'info',
      isGrouped: true,
      wantsRepeats: true,
      send: () => Promise.reject(new Error('POST https://hooks.example/T000/SECRET failed for 10.1.2.3')),
    };
    const { pass, alerts } = watched({
      rules: [rule],
      channels: [channel, slack({ url: `http://127.0.0.1:${await freePort()}/SECRET` })],
    });
    holds('a');
    await pass(20_000);
    expect(alerts.report().channels).toMatchObject([
      { error: 'it failed' },
      { error: 'the receiver does not answer (ECONNREFUSED)' },
    ]);
    expect(JSON.stringify(alerts.report())).not.toContain('SECRET');
  });

  it('takes the word of a channel of your own', () => {
    expect(new DeliveryError('no', { remedy: 'drop', retryAfterMs: 5 })).toMatchObject({
      code: 'alert_not_delivered',
      remedy: 'drop',
      retryAfterMs: 5,
    });
    expect(new DeliveryError('no').remedy).toBe('retry');
  });
});
