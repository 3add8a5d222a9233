import { setTimeout as sleep } from 'node:timers/promises';
import { runInContext } from '@signalbox/context';
import { signals, type FeatureState } from '@signalbox/signals';
import { describe, expect, it, type TestContext } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import { connectRedis, outageOf, watchOutage, type Outage, type OutageOptions } from '../src/index.js';
import { errorOf, isIn, stageOf } from './stage.js';

let features = 0;

/** Watches a feature of the test's own, and what is said of it. */
function watched(
  { onTestFinished }: Pick<TestContext, 'onTestFinished'>,
  options: Omit<OutageOptions, 'feature'> = {},
): { outage: Outage; said: FeatureState[]; feature: string } {
  const feature = `feature ${features++}`;
  const said = heardOf(feature, onTestFinished);
  const outage = watchOutage({ feature, ...options });
  onTestFinished(() => outage.close());
  return { outage, said, feature };
}

function heardOf(feature: string, onTestFinished: TestContext['onTestFinished']): FeatureState[] {
  const said: FeatureState[] = [];
  onTestFinished(
    signals.featureState.subscribe((state) => void (state.feature === feature && said.push(state))),
  );
  return said;
}

describe('an outage', () => {
  it.concurrent('is said once when it begins, and once when a probe finds it over', async (context) => {
    const stage = stageOf(context);
    const redis = await stage.redis();
    const link = stage.closing(connectRedis(redis.url));
    const { outage, said, feature } = watched(context, { probe: () => link.command('get', 'k') });
    await isIn(link, 'up');
    await redis.kill();
    await isIn(link, 'down');
    const error = await errorOf(link.command('get', 'k'));
    for (let times = 0; times < 3; times += 1) outage.failed(error, times === 0 ? 'open' : 'closed');
    expect(said).toEqual([
      { feature, degraded: true, policy: 'open', reason: `The store does not answer: ${error.message}` },
    ]);

    await redis.restart();
    await eventually(() => said.length > 1);
    expect(said.slice(1)).toEqual([
      { feature, degraded: false, policy: 'open', reason: 'The store answers again' },
    ]);
    outage.failed(error, 'closed');
    expect(said.slice(2)).toMatchObject([{ degraded: true, policy: 'closed' }]);
  });

  it.concurrent('is probed with what failed last, and not as long as requests go on failing', async (context) => {
    const probes: string[] = [];
    const { outage, said } = watched(context, { probe: (about) => void probes.push(about) });
    for (let times = 0; times < 20; times += 1) {
      outage.failed(new Error('gone'), 'local', `key ${times}`);
      await sleep(40);
    }
    expect(probes).toEqual([]);
    await eventually(() => said.length === 2);
    expect(probes).toEqual(['key 19']);
  });

  it.concurrent('goes on where a request fails while the probe is out, or the probe itself does', async (context) => {
    let probes = 0;
    const { outage, said } = watched(context, {
      probe() {
        probes += 1;
        if (probes === 1) outage.failed('again', 'open');
        if (probes === 2) throw new Error('still gone');
        if (probes === 3) return Promise.reject(new Error('still gone'));
        return undefined;
      },
    });
    outage.failed('gone', 'open');
    await eventually(() => said.length === 2);
    expect(probes).toBe(4);
    expect(said.map(({ degraded }) => degraded)).toEqual([true, false]);
  });

  it.concurrent('ends at once with what works, and alone with that where there is no probe', async (context) => {
    const { outage, said } = watched(context, { begins: 'It is gone', ends: 'It is back' });
    outage.works();
    outage.failed(undefined, 'stale');
    outage.works();
    outage.works();
    expect(said.map(({ degraded, reason }) => [degraded, reason])).toEqual([
      [true, 'It is gone'],
      [false, 'It is back'],
    ]);
    outage.failed('no keys', 'stale');
    await sleep(600);
    expect(said.slice(2)).toMatchObject([{ degraded: true, reason: 'It is gone: no keys' }]);
  });

  it.concurrent('is not probed any more once its link is closed, nor once the watch is', async (context) => {
    const redis = await stageOf(context).redis();
    const link = connectRedis(redis.url);
    await isIn(link, 'up');
    await link.close();
    let probes = 0;
    const ofLink = watched(context, {
      probe() {
        probes += 1;
        return link.command('get', 'k');
      },
    });
    const closed = watched(context, { probe: () => void (probes += 1) });
    ofLink.outage.failed('gone', 'open');
    closed.outage.failed('gone', 'open');
    closed.outage.close();
    closed.outage.close();
    closed.outage.failed('gone', 'open');
    closed.outage.works();
    await eventually(() => probes === 1);
    await sleep(600);
    expect(probes).toBe(1);
    expect([...ofLink.said, ...closed.said].map(({ degraded }) => degraded)).toEqual([true, true]);
  });

  it.concurrent('is found over, though the time of the request that failed is over, too', async (context) => {
    const stage = stageOf(context);
    const redis = await stage.redis();
    const link = stage.closing(connectRedis(redis.url));
    const { outage, said } = watched(context, { probe: () => link.command('get', 'k') });
    await isIn(link, 'up');
    runInContext({ deadline: performance.now() }, () => outage.failed(new Error('too late'), 'open'));
    await eventually(() => said.length === 2);
    expect(said[1]).toMatchObject({ degraded: false });
  });

  it.concurrent('is none where a request has no time left to ask', async (context) => {
    const stage = stageOf(context);
    const redis = await stage.redis();
    const link = stage.closing(connectRedis(redis.url));
    const { outage, said } = watched(context);
    await isIn(link, 'up');
    const late = runInContext({ deadline: performance.now() }, () => link.command('get', 'k'));
    outage.failed(await errorOf(late), 'open');
    expect(said).toEqual([]);
  });

  it.concurrent('of a store is one for all that ask it', async (context) => {
    const store = { isDown: true, probe: async (): Promise<void> => void (store.isDown && fail()) };
    const fail = (): never => {
      throw new Error('down');
    };
    const said = heardOf('of a store', context.onTestFinished);
    const outage = outageOf(store, 'of a store');
    expect(outageOf(store, 'of a store')).toBe(outage);
    expect(outageOf({}, 'of another')).not.toBe(outage);
    outage.failed(new Error('down'), 'closed');
    store.isDown = false;
    await eventually(() => said.length === 2);
  });

  it.concurrent('of a store that cannot be probed ends when nobody has failed for a while', async (context) => {
    const said = heardOf('of a plain store', context.onTestFinished);
    outageOf({}, 'of a plain store').failed(new Error('down'), 'closed');
    await eventually(() => said.length === 2);
    expect(said[1]).toMatchObject({ degraded: false, policy: 'closed' });
  });
});
