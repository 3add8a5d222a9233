import type { RequestListener } from 'node:http';
import { type DrainFinished, signals } from '@signalbox/signals';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Resource, ServeOptions } from '../src/index.js';
import { pause, serveHere } from './support.js';

const hello: RequestListener = (_req, res) => res.end('hello');

describe('the resources of a server', () => {
  it('are closed phase by phase, those of one phase at the same time', async () => {
    const order: string[] = [];
    const resource = (name: string, phase?: Resource['phase']): Resource => ({
      name,
      phase,
      async close() {
        order.push(`${name} begins`);
        // So that a phase which does not wait for the one before it begins in between.
        await pause(20);
        order.push(`${name} ends`);
      },
    });
    const running = await serveHere(hello, {
      resources: [
        resource('log', 'logs'),
        resource('pool'),
        resource('redis'),
        resource('queue', 'jobs'),
        resource('io', 'sockets'),
      ],
    });
    const report = await running.close();

    expect(order).toEqual([
      'io begins',
      'io ends',
      'queue begins',
      'queue ends',
      'pool begins',
      'redis begins',
      'pool ends',
      'redis ends',
      'log begins',
      'log ends',
    ]);
    expect(report.resources.map(({ name, outcome }) => `${name} ${outcome}`)).toEqual([
      'io closed',
      'queue closed',
      'pool closed',
      'redis closed',
      'log closed',
    ]);
  });

  it('keep nothing when they throw, reject or hang, and are named', async () => {
    const warnings: { message: string; fields: object }[] = [];
    const finished: DrainFinished[] = [];
    onTestFinished(signals.drainFinished.subscribe((event) => finished.push(event)));
    const rejected = new Error('rejected');
    let closed = false;
    const options: ServeOptions = {
      log: { info() {}, warn: (fields, message) => warnings.push({ fields, message }), error() {} },
      resources: [
        {
          name: 'throws',
          close() {
            throw new Error('thrown');
          },
        },
        { name: 'rejects', phase: 'jobs', close: () => Promise.reject(rejected) },
        { name: 'hangs', phase: 'jobs', budgetMs: 50, close: () => new Promise(() => undefined) },
        { name: 'closes', close: () => (closed = true) },
      ],
    };
    const running = await serveHere(hello, options);
    const report = await running.close();

    expect(closed).toBe(true);
    expect(report.clean).toBe(false);
    expect(report.resources).toMatchObject([
      { name: 'rejects', phase: 'jobs', outcome: 'failed', error: rejected },
      { name: 'hangs', phase: 'jobs', outcome: 'timed_out' },
      { name: 'throws', phase: 'pools', outcome: 'failed', error: { message: 'thrown' } },
      { name: 'closes', phase: 'pools', outcome: 'closed' },
    ]);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]?.message).toMatch(
      /abandon the resource rejects, the resource hangs, the resource throws$/,
    );
    expect(warnings[0]?.fields).toMatchObject({ err: rejected });
    expect(finished.find(({ server }) => server === running.server)?.failedResources).toEqual([
      'rejects',
      'hangs',
      'throws',
    ]);
  });

  it('are closed even when the log fails', async () => {
    let closed = false;
    const running = await serveHere(hello, {
      log: {
        info(_fields, message) {
          if (message.startsWith('drained')) throw new Error('disk full');
        },
        warn() {},
        error() {},
      },
      resources: [{ name: 'log', phase: 'logs', close: () => (closed = true) }],
    });
    expect((await running.close()).clean).toBe(true);
    expect(closed).toBe(true);
  });
});
