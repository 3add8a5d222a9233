import { signals } from '@signalbox/signals';
import { describe, expect, it } from 'vitest';
import { heard } from '../../../test/support/heard.js';
import { alerts, rule as makeRule, slack, standardRules, webhook, type AlertChannel } from '../src/index.js';
import { lever, receiver, SECRET, told, watched, type Receiver } from './support.js';

function hook({ url }: Receiver, options: Partial<Parameters<typeof webhook>[0]> = {}): AlertChannel {
  return webhook({ url, secret: SECRET, ...options });
}

describe('alerts', () => {
  it('tells once of what is wrong, and once when it is over', async () => {
    const inbox = await receiver();
    const { rule, holds, gone } = lever({ severity: 'critical' });
    const { pass, alerts } = watched({ rules: [rule], channels: [hook(inbox)] });

    holds('a');
    for (let count = 0; count < 20; count += 1) holds('a');
    await pass(60_000);
    expect(told(inbox)).toEqual(['open a']);
    expect(alerts.report().incidents).toMatchObject([
      { subject: 'a', rule: 'lever', severity: 'critical', isQuiet: false, toldTo: ['webhook'] },
    ]);

    gone('a');
    await pass(60_000);
    expect(alerts.report().incidents).toMatchObject([{ isQuiet: true }]);
    expect(told(inbox)).toEqual(['open a']);
    await pass(120_000);
    expect(told(inbox)).toEqual(['open a', 'over a']);
    expect(alerts.report().incidents).toEqual([]);
  });

  it('makes one message of what comes together', async () => {
    const inbox = await receiver();
    const { rule, holds } = lever();
    const { pass } = watched({ rules: [rule], channels: [hook(inbox)], groupMs: 15_000 });

    holds('a');
    await pass(5_000);
    holds('b');
    await pass(5_000);
    holds('c');
    expect(inbox.received).toEqual([]);
    await pass(15_000);

    expect(inbox.received).toHaveLength(1);
    expect(told(inbox)).toEqual(['open a', 'open b', 'open c']);
  });

  it('waits until a condition has held for long enough', async () => {
    const inbox = await receiver();
    const { rule, holds, gone } = lever({ forMs: 60_000 });
    const { pass } = watched({ rules: [rule], channels: [hook(inbox)], groupMs: 0 });

    holds('a');
    await pass(55_000);
    gone('a');
    await pass(600_000);
    expect(inbox.received).toEqual([]);

    holds('a');
    await pass(60_000);
    expect(told(inbox)).toEqual(['open a']);
  });

  it('notices in the end what holds half of the time, though never for long', async () => {
    const inbox = await receiver();
    const { rule, holds, gone } = lever({ forMs: 60_000 });
    const { pass } = watched({ rules: [rule], channels: [hook(inbox)], groupMs: 0 });

    for (let count = 0; count < 4; count += 1) {
      holds('a');
      await pass(30_000);
      gone('a');
      await pass(30_000);
    }
    expect(told(inbox)).toEqual(['open a']);
  });

  it('takes what comes and goes for one incident, and says how often it came back', async () => {
    const inbox = await receiver();
    const { rule, holds, gone } = lever();
    const { pass } = watched({ rules: [rule], channels: [hook(inbox)] });

    for (let count = 0; count < 30; count += 1) {
      holds('a');
      await pass(20_000);
      gone('a');
      await pass(40_000);
    }
    expect(told(inbox)).toEqual(['open a']);

    await pass(300_000);
    expect(told(inbox)).toEqual(['open a', 'over a']);
    expect(JSON.parse(inbox.received[1]?.body ?? '')).toMatchObject({ alerts: [{ returns: 29 }] });
  });

  it('is slower to believe that it is over each time that it comes back within the hour', async () => {
    const inbox = await receiver();
    const { rule, holds, gone } = lever({ quietMs: 120_000 });
    const { pass } = watched({ rules: [rule], channels: [hook(inbox)] });

    // A minute of ten, for two hours.
    for (let count = 0; count < 12; count += 1) {
      holds('a');
      await pass(60_000, 20_000);
      gone('a');
      await pass(540_000, 20_000);
    }
    const opened = told(inbox).filter((line) => line === 'open a').length;
    expect(opened).toBeGreaterThanOrEqual(2);
    expect(opened).toBeLessThanOrEqual(4);
  });

  it('tells of what lasts no time, once, with how often it happened', async () => {
    const inbox = await receiver();
    const { rule, happened } = lever();
    const { pass } = watched({ rules: [rule], channels: [hook(inbox)], groupMs: 0 });

    for (let count = 0; count < 5; count += 1) happened('a');
    // Longer than it is said: a process that was busy must not swallow it.
    await pass(5_000);
    await pass(600_000);
    expect(told(inbox)).toEqual(['open a', 'over a']);
    expect(inbox.received[0]?.body).toContain('5 times in a row');
  });

  it('tells each channel of what is bad enough for it, and tells it when it gets that bad', async () => {
    const [low, high] = [await receiver(), await receiver()];
    const { rule, holds, gone } = lever();
    const channels = [
      hook(low, { name: 'low', severity: 'info' }),
      hook(high, { name: 'high', severity: 'critical' }),
    ];
    const { pass } = watched({ rules: [rule], channels });

    holds('a', { severity: 'warning' });
    await pass(60_000);
    expect(told(low)).toEqual(['open a']);
    expect(told(high)).toEqual([]);

    holds('a', { severity: 'critical' });
    await pass(60_000);
    expect(told(low)).toEqual(['open a', 'worse a']);
    expect(told(high)).toEqual(['open a']);

    holds('a', { severity: 'info' });
    await pass(60_000);
    gone('a');
    await pass(200_000);
    expect(told(low)).toEqual(['open a', 'worse a', 'over a']);
    expect(told(high)).toEqual(['open a', 'over a']);
  });

  it('tells what follows from an incident within it, and apart where it outlasts it', async () => {
    const inbox = await receiver();
    const cause = lever({ name: 'cause', severity: 'critical', explains: ['effect/b'] });
    const effect = lever({ name: 'effect', quietMs: 600_000 });
    const { pass, alerts } = watched({ rules: [effect.rule, cause.rule], channels: [hook(inbox)] });

    effect.holds('b');
    await pass(5_000);
    cause.holds('a');
    effect.holds('c');
    await pass(60_000);
    expect(told(inbox)).toEqual(['open a', 'open c']);
    expect(JSON.parse(inbox.received[0]?.body ?? '')).toMatchObject({
      alerts: [{ also: ['b is broken'] }, {}],
    });
    expect(alerts.report().incidents).toContainEqual(
      expect.objectContaining({ subject: 'b', isExplained: true }),
    );

    cause.gone('a');
    await pass(200_000);
    expect(told(inbox)).toEqual(['open a', 'open c', 'over a', 'open b']);
  });

  it('tells apart what differs in what it does not show, and shows it as one', async () => {
    const inbox = await receiver();
    const { rule, holds, gone } = lever({ quietMs: 10_000 });
    const { pass, alerts } = watched({ rules: [rule], channels: [hook(inbox)] });
    holds('db 10.0.0.1');
    holds('db 10.0.0.2');
    gone('db 10.0.0.1');
    await pass(60_000);
    expect(told(inbox)).toEqual(['open db [address]']);
    expect(alerts.report().incidents).toMatchObject([{ isQuiet: false }]);
    gone('db 10.0.0.2');
    await pass(60_000);
    expect(told(inbox)).toEqual(['open db [address]', 'over db [address]']);
  });

  it('reminds of what goes on', async () => {
    const inbox = await receiver();
    const { rule, holds } = lever();
    const { pass } = watched({ rules: [rule], channels: [hook(inbox)], repeatMs: 600_000 });
    holds('a');
    await pass(1_900_000, 20_000);
    expect(told(inbox)).toEqual(['open a', 'repeat a', 'repeat a', 'repeat a']);
  });

  it('sends no more in an hour than it may, and makes one message of the rest', async () => {
    const inbox = await receiver();
    const { rule, holds } = lever();
    const { pass } = watched({ rules: [rule], channels: [hook(inbox)], maxPerHour: 3 });

    for (let count = 0; count < 20; count += 1) {
      holds(`s${count}`);
      await pass(60_000, 20_000);
    }
    expect(inbox.received).toHaveLength(3);
    await pass(3_600_000, 30_000);
    expect(inbox.received).toHaveLength(4);
    expect(told(inbox)).toHaveLength(20);
  });

  it('publishes what it has sent', async () => {
    const inbox = await receiver();
    const sent = heard(signals.alertSent);
    const { rule, holds } = lever();
    const { pass } = watched({ rules: [rule], channels: [hook(inbox)] });
    holds('a');
    await pass(30_000);
    expect(sent).toEqual([{ rule: 'lever', channel: 'webhook', outcome: 'sent' }]);
  });

  it('sends what waits when it is closed, and nothing after that', async () => {
    const inbox = await receiver();
    const { rule, holds } = lever();
    const { alerts, pass } = watched({ rules: [rule], channels: [hook(inbox)] });
    holds('a');
    await pass(5_000);
    expect(inbox.received).toEqual([]);
    await Promise.all([alerts.close(), alerts.close()]);
    expect(told(inbox)).toEqual(['open a']);
    holds('b');
    await alerts.look();
    expect(told(inbox)).toEqual(['open a']);
  });

  it('looks by itself', async () => {
    const inbox = await receiver();
    const { rule, holds } = lever();
    const made = alerts({
      service: 'search',
      rules: [rule],
      channels: [hook(inbox)],
      everyMs: 10,
      groupMs: 0,
    });
    holds('a');
    await expect.poll(() => told(inbox)).toEqual(['open a']);
    await made.close();
  });

  it('goes on when a rule cannot look, and says which', async () => {
    const inbox = await receiver();
    const { rule, holds } = lever();
    const broken = makeRule({
      name: 'broken',
      watch({ every }) {
        every(1_000, () => Promise.reject(Object.assign(new Error('postgres://u:pw@h'), { code: 'EACCES' })));
        return undefined;
      },
    });
    const { pass, alerts } = watched({ rules: [rule, broken], channels: [hook(inbox)] });
    holds('a');
    await pass(30_000);
    expect(told(inbox)).toEqual(['open a']);
    expect(alerts.report().rules).toEqual([
      { rule: 'lever', severity: 'warning', problem: undefined },
      { rule: 'broken', severity: 'warning', problem: 'EACCES' },
    ]);
  });

  it('bounds what it keeps of names without end', async () => {
    const inbox = await receiver();
    const { rule, holds } = lever();
    const { pass, alerts } = watched({ rules: [rule], channels: [hook(inbox)] });
    for (let count = 0; count < 2_000; count += 1) holds(`name ${count}`);
    await pass(20_000);
    expect(alerts.report().incidents).toHaveLength(501);
  });

  it.each([
    [{ service: '' }, 'alerts: "service" must be a non-empty string, got ""'],
    [{ channels: [] }, 'alerts: "channels" must be a list of one channel or more, got an array'],
    [{ chanels: [] }, 'alerts: "chanels" is not an option; did you mean "channels"?'],
    [{ rules: [] }, 'alerts: "rules" must be a list of one rule or more'],
    [{ rules: [() => 1] }, 'alerts: "rules" must be made by rule(), onHealth() and the like, got a function'],
    [
      { rules: [standardRules()[0], standardRules()[0]] },
      'alerts: "rules" has two by the name "health-check"',
    ],
    [{ rules: standardRules() }, 'alerts: the rule "error-rate" needs "registry", that of metrics()'],
    [{ runbooks: 'docs' }, 'alerts: "runbooks" must be an http or https URL, got "docs"'],
    [{ groupMs: -1 }, 'alerts: "groupMs" must be an integer from 0 to'],
    [{ maxPerHour: 0 }, 'alerts: "maxPerHour" must be an integer of at least 1'],
    [{ maxQueued: 1e6 }, 'alerts: "maxQueued" must be an integer from 1 to 10000'],
    [{ redis: 'redis://x' }, 'redisLink: "source" must be a RedisLink or an ioredis client'],
    [{ prefix: '{x}' }, 'alerts: "prefix" must be text without braces'],
    [{ now: 5 }, 'alerts: "now" must be a function, got 5'],
  ])('refuses %j at construction', (options, message) => {
    const channels = [slack({ url: 'https://hooks.slack.example/x' })];
    expect(() => Reflect.apply(alerts, undefined, [{ service: 's', channels, ...options }])).toThrow(message);
  });

  it('refuses two channels of one name', () => {
    const channels = [slack({ url: 'https://a.example' }), slack({ url: 'https://b.example' })];
    expect(() => alerts({ service: 's', channels })).toThrow(
      'alerts: "channels" has two by the name "slack"',
    );
  });
});
