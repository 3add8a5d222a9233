import { connectRedis, type RedisLink } from '@signalbox/redis';
import { testClock, type TestClock } from '@signalbox/testing';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import { sharedRedis } from '../../../test/support/shared-redis.js';
import { startRedis } from '../../../test/support/redis.js';
import { webhook } from '../src/index.js';
import {
  lever,
  receiver,
  SECRET,
  told,
  watched,
  type Lever,
  type Receiver,
  type Watched,
} from './support.js';

const redis = sharedRedis();

beforeEach(() => redis.client.flushall());

interface Member extends Watched {
  readonly lever: Lever;
  readonly link: RedisLink;
}

interface Fleet {
  readonly inbox: Receiver;
  readonly members: readonly Member[];
  readonly clock: TestClock;
  /** Lets time pass for those that are alive, each taking its turn. */
  pass(ms: number, alive?: readonly Member[]): Promise<void>;
}

/** Processes of one service, but for the process: each with its own link, its own rules and its own view. */
async function fleet(
  size: number,
  options: {
    url?: string;
    shared?: boolean;
    service?: string;
    deadlineMs?: number;
  } = {},
): Promise<Fleet> {
  const { url = redis.server.url, shared = false, service = 'search' } = options;
  // Of the link, which on a busy machine is not what a test is about.
  const { deadlineMs = 2_000 } = options;
  const inbox = await receiver();
  const clock = testClock(Date.UTC(2026, 0, 31, 12));
  const members: Member[] = [];
  for (let index = 0; index < size; index += 1) {
    const link = connectRedis(url, { deadlineMs, name: `link${index}` });
    onTestFinished(() => link.close());
    await eventually(() => link.state === 'up');
    const own = lever({ isShared: shared });
    const made = watched(
      {
        service,
        rules: [own.rule],
        channels: [webhook({ url: inbox.url, secret: SECRET })],
        redis: link,
        everyMs: 1_000_000,
        leaseMs: 2_100_000,
      },
      clock,
    );
    members.push({ ...made, lever: own, link });
  }
  return {
    inbox,
    members,
    clock,
    async pass(ms, alive = members) {
      for (let left = ms; left > 0; left -= 10_000) {
        clock.advance(Math.min(left, 10_000));
        for (const member of alive) await member.alerts.look();
      }
    },
  };
}

function roles({ members }: Fleet): string[] {
  return members.map(({ alerts }) => alerts.report().role);
}

describe('several processes', () => {
  it('send one message, whichever of them sees it, and one when all of them see no more of it', async () => {
    const all = await fleet(4);
    const [a, b, c] = all.members.map((member) => member.lever);
    a?.holds('x');
    b?.holds('x');
    await all.pass(30_000);
    c?.holds('x');
    await all.pass(60_000);
    expect(told(all.inbox)).toEqual(['open x']);
    expect(roles(all)).toEqual(['lead', 'follow', 'follow', 'follow']);

    a?.gone('x');
    b?.gone('x');
    await all.pass(300_000);
    expect(told(all.inbox)).toEqual(['open x']);
    c?.gone('x');
    await all.pass(200_000);
    expect(told(all.inbox)).toEqual(['open x', 'over x']);
  });

  it('tell of what happened once in one of them', async () => {
    const all = await fleet(3);
    await all.pass(10_000);
    all.members[2]?.lever.happened('theft');
    await all.pass(60_000);
    expect(told(all.inbox)).toEqual(['open theft']);
  });

  it('tell of what happened in one that ends before the others heard of it', async () => {
    const all = await fleet(2);
    const [first, second] = all.members;
    if (first === undefined || second === undefined) throw new Error('there are two');
    await all.pass(10_000);
    second.lever.happened('theft');
    await second.alerts.close();
    await all.pass(60_000, [first]);
    expect(told(all.inbox)).toEqual(['open theft']);
  });

  it('all report the same incidents', async () => {
    const all = await fleet(3);
    all.members[1]?.lever.holds('x');
    await all.pass(60_000);
    for (const { alerts } of all.members) {
      expect(alerts.report().incidents).toMatchObject([{ subject: 'x', toldTo: ['webhook'] }]);
    }
  });

  it('go on from there when the one that sends leaves', async () => {
    const all = await fleet(3);
    const [first, ...rest] = all.members;
    for (const { lever } of all.members) lever.holds('x');
    await all.pass(30_000);
    await first?.alerts.close();
    await all.pass(60_000, rest);
    expect(rest.map(({ alerts }) => alerts.report().role)).toEqual(['lead', 'follow']);
    expect(told(all.inbox)).toEqual(['open x']);
    for (const { lever } of rest) lever.gone('x');
    await all.pass(200_000, rest);
    expect(told(all.inbox)).toEqual(['open x', 'over x']);
  });

  it('deliver what the one that sent had not got through before it died', async () => {
    const all = await fleet(2);
    const [first, second] = all.members;
    if (first === undefined || second === undefined) throw new Error('there are two');
    all.inbox.answer(500);
    first.lever.holds('x');
    await all.pass(30_000, [first]);
    expect(first.alerts.report()).toMatchObject({ role: 'lead', channels: [{ queued: 1 }] });

    // It is never asked again, and its lease and its report run out; what it saw, nobody else sees.
    await redis.client.del(
      ...(await redis.client.keys('*:leader')),
      ...(await redis.client.keys('*:reports')),
    );
    all.inbox.answer(200);
    await all.pass(300_000, [second]);
    expect(second.alerts.report().role).toBe('lead');
    expect(told(all.inbox)).toEqual(['open x', 'over x']);

    // Back from wherever it was, it follows, and sends nothing twice.
    first.lever.gone('x');
    await all.pass(300_000, [first, second]);
    expect(first.alerts.report().role).toBe('follow');
    expect(told(all.inbox)).toEqual(['open x', 'over x']);
  });

  it('go on from there also where the answer to who leads now came too late', async () => {
    const all = await fleet(2, { deadlineMs: 100 });
    const [first, second] = all.members;
    if (first === undefined || second === undefined) throw new Error('there are two');
    first.lever.holds('x');
    await all.pass(30_000, [first]);
    expect(told(all.inbox)).toEqual(['open x']);
    // It is never asked again.
    await redis.client.del(
      ...(await redis.client.keys('*:leader')),
      ...(await redis.client.keys('*:reports')),
    );

    // Redis does what it was asked, when nobody waits for it any more.
    await redis.client.client('PAUSE', 200, 'ALL');
    await all.pass(10_000, [second]);
    expect(second.alerts.report().role).toBe('alone');
    await eventually(async () => (await redis.client.keys('*:leader')).length === 1);
    await all.pass(300_000, [second]);
    expect(second.alerts.report().role).toBe('lead');
    expect(told(all.inbox)).toEqual(['open x', 'over x']);
  });

  it('count what was dropped once, also where the one that leads was asleep for longer than its lease', async () => {
    const inbox = await receiver();
    const own = lever();
    const { alerts, pass } = watched({
      rules: [own.rule],
      channels: [webhook({ url: inbox.url, secret: SECRET })],
      redis: redis.link,
      maxQueued: 10,
      everyMs: 1_000_000,
      leaseMs: 2_100_000,
    });
    inbox.answer(503);
    for (let count = 0; count < 15; count += 1) own.holds(`s${count}`);
    await pass(60_000);
    expect(alerts.report().channels).toMatchObject([{ dropped: 5 }]);
    await redis.client.del(...(await redis.client.keys('*:leader')));
    await pass(10_000);
    expect(alerts.report()).toMatchObject({ role: 'lead', channels: [{ queued: 10, dropped: 5 }] });
  });

  it('say that it is over after all of them were gone', async () => {
    const before = await fleet(1);
    before.members[0]?.lever.holds('x');
    await before.pass(30_000);
    expect(told(before.inbox)).toEqual(['open x']);
    await before.members[0]?.alerts.close();

    const after = await fleet(1);
    await after.pass(200_000);
    expect(told(after.inbox)).toEqual(['over x']);
  });

  it('keep apart what are different services', async () => {
    const [one, other] = [await fleet(1), await fleet(1, { service: 'other' })];
    one.members[0]?.lever.holds('x');
    await one.pass(30_000);
    await other.pass(30_000);
    expect(roles(one)).toEqual(['lead']);
    expect(roles(other)).toEqual(['lead']);
    expect(told(other.inbox)).toEqual([]);
  });

  it('leave no key without an expiry, all under one hash tag, and nothing readable in their names', async () => {
    const all = await fleet(2);
    all.members[1]?.lever.holds('x');
    await all.pass(30_000);
    const keys = await redis.client.keys('*');
    expect(keys.length).toBeGreaterThanOrEqual(3);
    for (const key of keys) {
      expect(key).toMatch(/^signalbox:alerts:\{[0-9a-f]{24}\}:(leader|reports|board|handed-over)$/);
      expect(await redis.client.pttl(key)).toBeGreaterThan(0);
    }
  });

  it('pass over what they have not written', async () => {
    const all = await fleet(1);
    await all.pass(5_000);
    const [leader] = await redis.client.keys('*:leader');
    const base = leader?.replace(/leader$/, '') ?? '';
    const foreign = ['{', '[]', '{"incidents":[{"id":1}],"outboxes":{"webhook":{"notices":[{}]}}}'];
    await redis.client.rpush(`${base}handed-over`, ...foreign);
    const [seconds = 0] = await redis.client.time();
    await redis.client.hset(`${base}reports`, {
      other: `${seconds * 1_000} [{"rule":1},5,null]`,
      another: 'nonsense',
    });
    all.members[0]?.lever.holds('x');
    await all.pass(30_000);
    expect(told(all.inbox)).toEqual(['open x']);
  });
});

describe('several processes whose Redis is gone', () => {
  it('each send what they see; what a machine sees alike is sent once, and it is over once', async () => {
    const server = await startRedis();
    onTestFinished(() => server.stop());
    const all = await fleet(3, { url: server.url, shared: true });
    await all.pass(10_000);
    await server.kill();
    await eventually(() => all.members.every(({ link }) => link.state === 'down'));

    for (const { lever } of all.members) lever.holds('redis');
    await all.pass(120_000);
    expect(told(all.inbox)).toEqual(['open redis']);

    await server.restart();
    await eventually(() => all.members.every(({ link }) => link.state === 'up'));
    for (const { lever } of all.members) lever.gone('redis');
    await all.pass(300_000);
    expect(told(all.inbox)).toEqual(['open redis', 'over redis']);
    expect(roles(all).filter((role) => role === 'lead')).toHaveLength(1);
  });

  it('are answered in time: a turn waits no longer than the link', async () => {
    const server = await startRedis();
    onTestFinished(() => server.stop());
    const all = await fleet(1, { url: server.url, deadlineMs: 200 });
    await all.pass(5_000);
    server.pause();
    onTestFinished(() => server.resume());
    all.members[0]?.lever.holds('x');
    await all.pass(40_000);
    expect(told(all.inbox)).toEqual(['open x']);
  });
});
