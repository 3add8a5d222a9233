import { signals } from '@signalbox/signals';
import { connectRedis } from '@signalbox/redis';
import { testClock } from '@signalbox/testing';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import { sharedRedis } from '../../../test/support/shared-redis.js';
import { pagerDuty, slack, standardRules, type Alerts } from '../src/index.js';
import { receiver, ROUTING_KEY, watched } from './support.js';

const redis = sharedRedis();

beforeEach(() => redis.client.flushall());

const MINUTE = 60_000;
const STEP_MS = 15_000;

/** What goes wrong in the hour, by the second that it does. All processes see it. */
const SCRIPT: readonly (readonly [atSeconds: number, happen: () => void])[] = [
  // Redis is gone for ten minutes, with all that stands on it; its link tries again and again.
  [60, () => degraded('rate-limit', true)],
  [62, () => degraded('sessions', true)],
  [62, () => degraded('cache', true)],
  [60, () => redisIs('down')],
  ...Array.from({ length: 20 }, (_, index) => [70 + index * 25, () => redisIs('connecting')] as const),
  ...Array.from({ length: 20 }, (_, index) => [71 + index * 25, () => redisIs('down')] as const),
  [70, () => checkIs('redis', 'unhealthy')],
  [660, () => redisIs('up')],
  [661, () => degraded('rate-limit', false)],
  [661, () => degraded('sessions', false)],
  [662, () => degraded('cache', false)],
  [670, () => checkIs('redis', 'healthy')],
  // A breaker that opens and closes once a minute for a quarter of an hour.
  ...Array.from({ length: 15 }, (_, index) => [900 + index * 60, () => breakerIs('open')] as const),
  ...Array.from({ length: 15 }, (_, index) => [945 + index * 60, () => breakerIs('closed')] as const),
  // The database is used up, while PagerDuty is gone as well; the check flaps.
  [1_500, () => waiting(9)],
  ...Array.from(
    { length: 10 },
    (_, index) => [1_500 + index * 30, () => checkIs('db', 'unhealthy')] as const,
  ),
  ...Array.from({ length: 10 }, (_, index) => [1_520 + index * 30, () => checkIs('db', 'healthy')] as const),
  [1_900, () => waiting(0)],
  // Three thefts at once, and one more.
  ...[2_400, 2_401, 2_402, 2_500].map((at) => [at, stolen] as const),
  // Blips that are none.
  [2_700, () => breakerIs('open')],
  [2_705, () => breakerIs('closed')],
  [2_800, () => degraded('search', true)],
  [2_820, () => degraded('search', false)],
];

function redisIs(state: 'up' | 'down' | 'connecting'): void {
  signals.redisLinkState.publish({ link: 'main', state, error: undefined });
}

function degraded(feature: string, isDegraded: boolean): void {
  signals.featureState.publish({ feature, degraded: isDegraded, policy: 'local', reason: 'Redis' });
}

function checkIs(check: string, status: 'healthy' | 'unhealthy'): void {
  signals.healthChanged.publish({ check, status, critical: true, previous: 'healthy', error: undefined });
}

function breakerIs(state: 'open' | 'closed'): void {
  signals.breakerState.publish({ upstream: 'searxng', route: 'search', state, previous: 'closed' });
}

function waiting(count: number): void {
  signals.poolState.publish({ pool: 'main', max: 5, size: 5, idle: 0, waiting: count });
}

function stolen(): void {
  signals.tokenEvent.publish({ event: 'reused', kind: 'refresh', code: 'token_reused' });
}

describe('an hour of faults, seen by three processes', () => {
  it('is one page for each incident, and the end of each', async () => {
    const [pager, chat] = [await receiver(), await receiver()];
    const clock = testClock(Date.UTC(2026, 0, 31, 12));
    const processes: Alerts[] = [];
    for (let index = 0; index < 3; index += 1) {
      const link = connectRedis(redis.server.url, { deadlineMs: 5_000 });
      onTestFinished(() => link.close());
      await eventually(() => link.state === 'up');
      const channels = [
        pagerDuty({ routingKey: ROUTING_KEY, url: pager.url, severity: 'warning' }),
        slack({ url: chat.url }),
      ];
      const rules = standardRules().filter(({ needsRegistry, name }) => !needsRegistry && name !== 'disk');
      const { alerts } = watched({ rules, channels, redis: link, runbooks: 'https://docs.example/' }, clock);
      processes.push(alerts);
    }

    const script = SCRIPT.toSorted(([a], [b]) => a - b);
    const startMs = clock.now();
    let next = 0;
    while (clock.now() - startMs < 75 * MINUTE) {
      clock.advance(STEP_MS);
      const seconds = (clock.now() - startMs) / 1_000;
      for (; (script[next]?.[0] ?? Infinity) <= seconds; next += 1) script[next]?.[1]();
      if (seconds === 1_485) pager.answer(500);
      if (seconds === 2_310) pager.answer(202);
      for (const alerts of processes) await alerts.look();
    }

    const events = pager.received.map(({ body }) => JSON.parse(body) as PagerEvent);
    const triggered = events.filter(({ event_action }) => event_action === 'trigger');
    expect(triggered.map(({ payload }) => `${payload?.class} ${payload?.component}`).toSorted()).toEqual([
      'breaker-open searxng search',
      'health-check db',
      'pool-waiting main',
      'redis-down main',
      'token-theft refresh',
    ]);
    const resolved = events.filter(({ event_action }) => event_action === 'resolve');
    expect(resolved.map(({ dedup_key }) => dedup_key).toSorted()).toEqual(
      triggered.map(({ dedup_key }) => dedup_key).toSorted(),
    );
    for (const { dedup_key } of resolved) {
      const [first, second] = events.filter((event) => event.dedup_key === dedup_key);
      expect([first?.event_action, second?.event_action]).toEqual(['trigger', 'resolve']);
    }
    // The chat hears the same, and when the pager was gone; not one message for each line of the script.
    expect(chat.received.length).toBeLessThanOrEqual(14);
    expect(chat.received[0]?.body).toContain('with it: The check');
    expect(processes.flatMap((alerts) => alerts.report().incidents)).toEqual([]);
    // Some 300 turns of three processes, each with two round trips.
  }, 60_000);
});

interface PagerEvent {
  readonly event_action: string;
  readonly dedup_key: string;
  readonly payload?: { readonly class: string; readonly component: string };
}
