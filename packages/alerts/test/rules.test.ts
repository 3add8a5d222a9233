import { utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { metrics } from '@signalbox/metrics';
import { signals } from '@signalbox/signals';
import { listen, temporaryFolder } from '@signalbox/testing';
import express from 'express';
import { Registry } from 'prom-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { selfSigned } from '../../../test/support/self-signed.js';
import {
  backupAge,
  breakerOpen,
  certificate,
  disk,
  errorRate,
  latency,
  loadShed,
  moduleFailed,
  onFeature,
  onHealth,
  poolWaiting,
  redisDown,
  rule,
  sunset,
  tokenTheft,
  workerState,
  type AlertChannel,
  type AlertRule,
  type MetricsRegistry,
} from '../src/index.js';
import { watched, type Watched } from './support.js';

interface Told extends Watched {
  /** What was told: kind, severity, title, details. */
  readonly lines: string[];
}

/** One rule, and what a channel is told of it. */
function using(rules: AlertRule | AlertRule[], registry?: MetricsRegistry): Told {
  const lines: string[] = [];
  const channel: AlertChannel = {
    name: 'own',
    severity: 'info',
    isGrouped: true,
    wantsRepeats: false,
    send({ notices }) {
      for (const { kind, severity, title, details } of notices) {
        lines.push(`${kind} ${severity}: ${[title, ...details].join(' | ')}`);
      }
      return Promise.resolve();
    },
  };
  return { ...watched({ rules: [rules].flat(), channels: [channel], groupMs: 0, registry }), lines };
}

describe('onHealth', () => {
  const published = { check: 'db', previous: 'healthy', error: undefined } as const;

  it('tells of a check that fails, by how critical it is, and with the code of its error alone', async () => {
    const { pass, lines } = using(onHealth());
    const error = Object.assign(new Error('postgres://u:pw@10.0.0.1'), { code: 'ECONNREFUSED' });
    signals.healthChanged.publish({ ...published, critical: true, status: 'unhealthy', error });
    signals.healthChanged.publish({ ...published, check: 'mail', critical: false, status: 'unhealthy' });
    signals.healthChanged.publish({ ...published, check: 'disk', critical: true, status: 'degraded' });
    await pass(10_000);
    expect(lines).toEqual([
      'open critical: The check "db" fails | ECONNREFUSED',
      'open warning: The check "mail" fails',
      'open info: The check "disk" is degraded',
    ]);
    signals.healthChanged.publish({ ...published, critical: true, status: 'healthy' });
    await pass(200_000, 20_000);
    expect(lines.slice(3)).toEqual(['over critical: The check "db" fails | ECONNREFUSED']);
  });

  it('looks at the checks that it is told to', async () => {
    const { pass, lines } = using(onHealth({ checks: ['db'], severity: 'info', forMs: 0 }));
    signals.healthChanged.publish({ ...published, critical: true, status: 'unhealthy' });
    signals.healthChanged.publish({ ...published, check: 'mail', critical: true, status: 'unhealthy' });
    await pass(5_000);
    expect(lines).toEqual(['open info: The check "db" fails']);
  });
});

describe('onFeature', () => {
  it('tells of a feature that runs degraded for a minute', async () => {
    const { pass, lines } = using(onFeature());
    const feature = { feature: 'cache', policy: 'open', reason: 'The store does not answer' } as const;
    signals.featureState.publish({ ...feature, degraded: true });
    await pass(30_000);
    signals.featureState.publish({ ...feature, degraded: false });
    await pass(120_000);
    expect(lines).toEqual([]);
    signals.featureState.publish({ ...feature, degraded: true });
    await pass(60_000);
    expect(lines).toEqual([
      'open warning: The feature "cache" runs degraded (open) | The store does not answer',
    ]);
  });
});

describe('redisDown', () => {
  it('tells of Redis alone, not of all that stands on it', async () => {
    const { pass, lines } = using([onHealth(), onFeature(), redisDown()]);
    const state = { degraded: true, policy: 'local', reason: 'gone' } as const;
    signals.featureState.publish({ ...state, feature: 'rate-limit' });
    signals.featureState.publish({ ...state, feature: 'search' });
    signals.redisLinkState.publish({ link: 'main', state: 'down', error: undefined });
    signals.redisLinkState.publish({ link: 'main', state: 'connecting', error: undefined });
    await pass(120_000);
    expect(lines).toEqual([
      'open critical: Redis does not answer (main)',
      'open warning: The feature "search" runs degraded (local) | gone',
    ]);
  });

  it('forgets a link that was closed', async () => {
    const { pass, lines } = using(redisDown());
    signals.redisLinkState.publish({ link: 'main', state: 'down', error: undefined });
    signals.redisLinkState.publish({ link: 'main', state: 'closed', error: undefined });
    await pass(60_000);
    expect(lines).toEqual([]);
  });
});

/** An app whose requests are counted; `/fail` answers 500, `/slow` takes its time, `/readyz` does both. */
async function counted(): Promise<{
  url: string;
  registry: Registry;
  readonly get: (path: string, times: number) => Promise<void>;
}> {
  const registry = new Registry();
  const app = express();
  const counting = metrics({ registry, process: false, buckets: [0.01, 0.05, 0.1, 1] });
  onTestFinished(() => counting.close());
  app.use(counting);
  app.get('/fail', (_req, res) => void res.sendStatus(500));
  app.get('/slow', (_req, res) => void setTimeout(() => res.send('slow'), 120));
  app.get('/readyz', (_req, res) => void setTimeout(() => res.sendStatus(503), 120));
  app.get('/', (_req, res) => void res.send('ok'));
  const url = await listen(app);
  return {
    url,
    registry,
    async get(path, times) {
      await Promise.all(
        Array.from({ length: times }, async () => void (await (await fetch(url + path)).arrayBuffer())),
      );
    },
  };
}

describe('errorRate', () => {
  it('tells when too many responses are errors, and when they are no more', async () => {
    const { registry, get } = await counted();
    const { pass, lines } = using(errorRate({ minRequests: 20, overMs: 60_000, quietMs: 30_000 }), registry);
    await get('/', 10);
    await pass(30_000);
    await get('/', 40);
    await pass(15_000);
    expect(lines).toEqual([]);
    await get('/fail', 10);
    await pass(15_000);
    expect(lines).toEqual(['open critical: Too many responses are errors: 20 % | of 50 requests']);
    await pass(150_000, 15_000);
    expect(lines.slice(1)).toEqual(['over critical: Too many responses are errors: 20 % | of 50 requests']);
  });

  it('does not count what probes ask, unless it is told to', async () => {
    const { registry, get } = await counted();
    const visitors = using(errorRate({ minRequests: 20 }), registry);
    const everybody = using(errorRate({ minRequests: 20, exceptRoutes: [] }), registry);
    await get('/', 1);
    await Promise.all([visitors.pass(15_000), everybody.pass(15_000)]);
    await get('/readyz', 90);
    await Promise.all([visitors.pass(15_000), everybody.pass(15_000)]);
    expect(visitors.lines).toEqual([]);
    expect(everybody.lines).toEqual(['open critical: Too many responses are errors: 100 % | of 90 requests']);
    await Promise.all([get('/', 30), get('/fail', 10)]);
    await visitors.pass(15_000);
    expect(visitors.lines).toEqual(['open critical: Too many responses are errors: 25 % | of 40 requests']);
  });

  it('says nothing of a handful of requests', async () => {
    const { registry, get } = await counted();
    const { pass, lines } = using(errorRate(), registry);
    await pass(15_000);
    await get('/fail', 10);
    await pass(60_000);
    expect(lines).toEqual([]);
  });

  it('begins anew when counters do', async () => {
    let all = 1_000;
    const registry: MetricsRegistry = {
      getSingleMetric: () => ({
        get: () => Promise.resolve({ values: [{ value: all, labels: { status: 500 } }] }),
      }),
    };
    const { pass, lines } = using(errorRate(), registry);
    await pass(30_000);
    all = 10;
    await pass(30_000);
    expect(lines).toEqual([]);
  });

  it('says nothing where nothing is counted', async () => {
    const { pass, lines, alerts } = using([errorRate(), latency()], new Registry());
    await pass(60_000);
    expect(lines).toEqual([]);
    expect(alerts.report().rules.map(({ problem }) => problem)).toEqual([undefined, undefined]);
  });
});

describe('latency', () => {
  it('tells when one request in a hundred is slow', async () => {
    const { registry, get } = await counted();
    const { pass, lines } = using(latency({ p99AboveMs: 100, minRequests: 20 }), registry);
    await get('/', 1);
    await pass(15_000);
    await get('/slow', 20);
    await pass(15_000);
    expect(lines).toHaveLength(1);
    const [, p99Ms] =
      /^open warning: Requests are slow: p99 is (\d+) ms \| of 20 requests$/.exec(lines[0] ?? '') ?? [];
    expect(Number(p99Ms)).toBeGreaterThan(100);
  });

  it('does not count what probes ask, unless it is told to', async () => {
    const { registry, get } = await counted();
    const visitors = using(latency({ p99AboveMs: 100, minRequests: 20 }), registry);
    const everybody = using(latency({ p99AboveMs: 100, minRequests: 20, exceptRoutes: [] }), registry);
    await get('/', 1);
    await Promise.all([visitors.pass(15_000), everybody.pass(15_000)]);
    await get('/readyz', 20);
    await Promise.all([visitors.pass(15_000), everybody.pass(15_000)]);
    expect(visitors.lines).toEqual([]);
    expect(everybody.lines).toHaveLength(1);
  });

  it('says of what is beyond its last bound that it is more, where that is too much', async () => {
    const durations = (count: number): MetricsRegistry => ({
      getSingleMetric: () => ({
        get: () =>
          Promise.resolve({
            values: [
              { metricName: 'x_bucket', labels: { le: 1 }, value: 0 },
              { metricName: 'x_bucket', labels: { le: '+Inf' }, value: (count += 100) },
            ],
          }),
      }),
    });
    const [slow, unknown] = [
      using(latency({ p99AboveMs: 1_000 }), durations(0)),
      using(latency({ p99AboveMs: 5_000 }), durations(0)),
    ];
    for (const each of [slow, unknown]) await each.pass(30_000);
    expect(slow.lines).toEqual([
      'open warning: Requests are slow: p99 is more than 1000 ms | of 100 requests',
    ]);
    expect(unknown.lines).toEqual([]);
  });
});

describe('breakerOpen', () => {
  it('tells of a breaker that stays open, through its tries, and not where its servers are', async () => {
    const { pass, lines } = using(breakerOpen());
    const breaker = { upstream: 'searxng', route: 'search', previous: 'closed' } as const;
    for (const server of ['http://10.0.0.1', 'http://10.0.0.2']) {
      signals.breakerState.publish({ ...breaker, server, state: 'open' });
    }
    await pass(20_000);
    signals.breakerState.publish({ ...breaker, server: 'http://10.0.0.1', state: 'half_open' });
    signals.breakerState.publish({ ...breaker, server: 'http://10.0.0.2', state: 'closed' });
    await pass(10_000);
    expect(lines).toEqual(['open warning: The breaker of "searxng" (search) is open | 1 of its servers']);
    signals.breakerState.publish({ ...breaker, server: 'http://10.0.0.1', state: 'closed' });
    await pass(150_000, 10_000);
    expect(lines[1]).toMatch(/^over/);
  });
});

describe('poolWaiting', () => {
  it('tells when callers wait for connections for half a minute', async () => {
    const { pass, lines } = using(poolWaiting());
    signals.poolState.publish({ pool: 'main', max: 20, size: 20, idle: 0, waiting: 7 });
    await pass(30_000);
    expect(lines).toEqual([
      'open warning: The database pool "main" is used up | 7 wait, 20 connections at most',
    ]);
    signals.poolState.publish({ pool: 'main', max: 20, size: 20, idle: 0, waiting: 0 });
    await pass(150_000, 10_000);
    expect(lines[1]).toMatch(/^over/);
  });
});

describe('certificate', () => {
  it('warns before the end, is critical near it, and says when it cannot look', async () => {
    const folder = temporaryFolder('alerts');
    onTestFinished(() => folder.remove());
    const file = join(folder.path, 'cert.pem');
    await writeFile(file, selfSigned().cert);
    const days = 40_000;
    const healthy = using(certificate({ file }));
    const near = using(certificate({ file, warnDays: days }));
    const end = using(certificate({ file, warnDays: days, criticalDays: days }));
    const none = using(certificate({ file: `${file}.gone` }));
    for (const each of [healthy, near, end, none]) await each.pass(5_000);
    expect(healthy.lines).toEqual([]);
    expect(near.lines).toEqual([
      expect.stringMatching(
        /^open warning: A certificate ends soon, or has ended \| the certificate ends in \d+ days$/,
      ),
    ]);
    expect(end.lines).toEqual([expect.stringMatching(/^open critical: A certificate ends soon/)]);
    expect(none.lines).toEqual(['open warning: A certificate cannot be looked at']);
  });
});

describe('disk', () => {
  it('warns of a disk that is nearly full, and is critical of a full one', async () => {
    const [warned, critical, fine] = [
      using(disk({ warnBelowPercent: 100, criticalBelowPercent: 0 })),
      using(disk({ warnBelowPercent: 100, criticalBelowPercent: 100 })),
      // Of no size, and so never full.
      using(disk({ path: '/proc', warnBelowPercent: 100 })),
    ];
    for (const each of [warned, critical, fine]) await each.pass(5_000);
    expect(warned.lines).toEqual([
      expect.stringMatching(/^open warning: The disk is nearly full \(\/\) \| [\d.]+ % are free$/),
    ]);
    expect(critical.lines).toEqual([expect.stringMatching(/^open critical/)]);
    expect(fine.lines).toEqual([]);
  });
});

describe('backupAge', () => {
  it('tells of a backup that is too old, by the time of a file, or that is not there', async () => {
    const folder = temporaryFolder('alerts');
    onTestFinished(() => folder.remove());
    const file = join(folder.path, 'last-success');
    const { pass, lines, clock } = using(backupAge({ file, quietMs: 0 }));
    await pass(5_000);
    expect(lines).toEqual(['open critical: There is no backup']);
    await writeFile(file, '');
    await utimes(file, clock.now() / 1_000, clock.now() / 1_000);
    await pass(60_000);
    expect(lines[1]).toMatch(/^over/);
    clock.advance(27 * 3_600_000);
    await pass(60_000);
    expect(lines[2]).toBe('open critical: The last backup is too old | it is 27 hours old');
  });

  it('asks a function', async () => {
    let last: Date | undefined = new Date(Date.UTC(2026, 0, 31));
    const { pass, lines } = using(backupAge({ last: () => last }));
    await pass(5_000);
    expect(lines).toEqual([]);
    last = new Date(Number.NaN);
    await pass(60_000);
    expect(lines).toEqual(['open critical: There is no backup']);
  });
});

describe('tokenTheft', () => {
  it('tells of a token that was used again, not of whose it was', async () => {
    const { pass, lines } = using(tokenTheft());
    const token = {
      event: 'reused',
      kind: 'refresh',
      code: 'token_reused',
      subject: 'ann',
      family: 'f1',
    } as const;
    signals.tokenEvent.publish({ ...token, event: 'refused' });
    signals.tokenEvent.publish(token);
    signals.tokenEvent.publish({ ...token, subject: 'bob' });
    await pass(5_000);
    expect(lines).toEqual([
      'open critical: A refresh token was used twice: somebody else may have it | 2 times in a row',
    ]);
  });
});

describe('workerState', () => {
  it('tells of workers that are stuck or end with an error, not of those that are asked to go', async () => {
    const { pass, lines } = using(workerState());
    const worker = { worker: 1, pid: 5, code: undefined } as const;
    signals.workerState.publish({ ...worker, state: 'exited', code: 0 });
    signals.workerState.publish({ ...worker, worker: 2, state: 'draining' });
    signals.workerState.publish({ ...worker, worker: 2, state: 'exited' });
    await pass(5_000);
    expect(lines).toEqual([]);
    signals.workerState.publish({ ...worker, state: 'stuck' });
    signals.workerState.publish({ ...worker, state: 'exited', code: 1 });
    await pass(5_000);
    expect(lines).toEqual(['open warning: A worker was stuck', 'open warning: A worker ended with an error']);
    for (const code of [1, undefined]) signals.workerState.publish({ ...worker, state: 'exited', code });
    await pass(5_000);
    expect(lines[2]).toMatch(/^worse critical: Workers keep ending with an error/);
  });
});

describe('moduleFailed', () => {
  it('tells of a module that does not load for half a minute, whatever is tried', async () => {
    const { pass, lines } = using(moduleFailed());
    const module = { module: 'search', prefix: '/search', error: undefined } as const;
    signals.moduleState.publish({ ...module, state: 'failed', error: new SyntaxError('x') });
    signals.moduleState.publish({ ...module, state: 'loading' });
    await pass(30_000);
    expect(lines).toEqual(['open warning: The module "search" does not load | SyntaxError']);
    signals.moduleState.publish({ ...module, state: 'ready' });
    await pass(150_000, 10_000);
    expect(lines[1]).toMatch(/^over/);
  });
});

describe('loadShed', () => {
  it('tells when many requests are turned away in a minute', async () => {
    const { pass, lines } = using(loadShed({ perMinute: 5 }));
    const shed = { priority: 'search', reason: 'in_flight', retryAfterSeconds: 1 } as const;
    for (let count = 0; count < 4; count += 1) signals.requestShed.publish(shed);
    await pass(60_000);
    expect(lines).toEqual([]);
    for (let count = 0; count < 50; count += 1) signals.requestShed.publish(shed);
    await pass(5_000);
    expect(lines).toEqual(['open warning: Requests are turned away under load | in flight']);
  });
});

describe('sunset', () => {
  it('tells of a version that is called though it ends soon, and louder when it has ended', async () => {
    const versions = { v1: '2026-02-10', v2: new Date('2026-01-01'), v3: '2027-01-01' };
    const { pass, lines } = using(sunset({ versions }));
    for (const version of ['v1', 'v2', 'v3', 'v4']) {
      signals.deprecatedCall.publish({ version, consumer: 'ann', route: '/a' });
    }
    await pass(5_000);
    expect(lines).toEqual([
      'open info: The version "v1" of the API is still called | it ends on 2026-02-10',
      'open warning: The version "v2" of the API is still called | it ended on 2026-01-01',
    ]);
  });
});

describe('a rule', () => {
  it.each([
    [
      () => rule({ name: 'Bad Name', watch: () => undefined }),
      'rule: "name" must be in kebab-case, got "Bad Name"',
    ],
    [
      () => Reflect.apply(rule, undefined, [{ name: 'x' }]),
      'rule: "watch" must be a function, got undefined',
    ],
    [
      () => Reflect.apply(onHealth, undefined, [{ forMS: 5 }]),
      'onHealth: "forMS" is not an option; did you mean "forMs"?',
    ],
    [() => onHealth({ forMs: -1 }), 'onHealth: "forMs" must be an integer from 0 to'],
    [
      () => Reflect.apply(onHealth, undefined, [{ checks: 'db' }]),
      'onHealth: "checks" must be a list of names',
    ],
    [
      () => Reflect.apply(onFeature, undefined, [{ severity: 'bad' }]),
      'onFeature: "severity" must be "info" or',
    ],
    [() => errorRate({ above: 5 }), 'errorRate: "above" must be a number above 0 and below 1, got 5'],
    [
      () => Reflect.apply(errorRate, undefined, [{ exceptRoutes: '/livez' }]),
      'errorRate: "exceptRoutes" must be a list of routes, such as ["/livez"], got "/livez"',
    ],
    [() => latency({ exceptRoutes: [''] }), 'latency: "exceptRoutes" must be a list of routes'],
    [() => latency({ p99AboveMs: 0 }), 'latency: "p99AboveMs" must be an integer from 1'],
    [() => poolWaiting({ above: -1 }), 'poolWaiting: "above" must be an integer of at least 0'],
    [() => certificate({}), 'certificateCheck: give either "host" or "file"'],
    [
      () => certificate({ host: 'h', warnDays: 1 }),
      'certificate: "warnDays" must be an integer of at least 3',
    ],
    [() => disk({ criticalBelowPercent: 20 }), 'disk: "criticalBelowPercent" must be a number from 0 to 15'],
    [() => backupAge({}), 'backupAge: give either "last" or "file"'],
    [
      () => sunset({ versions: { v1: 'soon' } }),
      'sunset: "versions.v1" must be a date, such as "2027-01-31", got "soon"',
    ],
    [() => workerState({ exits: 0 }), 'workerState: "exits" must be an integer of at least 1'],
    [() => loadShed({ perMinute: 0 }), 'loadShed: "perMinute" must be an integer of at least 1'],
  ])('is refused at construction when an option is wrong: %s', (make, message) => {
    expect(make).toThrow(message);
  });
});
