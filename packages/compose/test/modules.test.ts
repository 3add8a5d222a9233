import { setTimeout as wait } from 'node:timers/promises';
import express, { Router, type RequestHandler } from 'express';
import { describe, expect, it } from 'vitest';
import { module, type Load } from '@signalbox/compose';
import { errorHandler } from '@signalbox/errors';
import { failing, hello, mount, stateOf, textOf } from './mounted.js';
import { eventually } from './support.js';

describe('modules', () => {
  it('loads routers, handlers and modules that hold them, each at its prefix', async () => {
    const handler: RequestHandler = (_req, res) => void res.send('handler');
    const { ready, url } = await mount([
      module('a', '/a', () => hello('router')),
      module('b', '/b/', async () => ({ default: hello('default') })),
      module('c', '/c', async () => ({ router: hello('router'), default: 'x' })),
      module('d', '/d', () => handler),
      module('e', '/e', async () => ({ default: { default: hello('cjs') } })),
      module('f', '/tenants/:tenant', () => {
        return Router({ mergeParams: true }).get('/', (req, res) => void res.json(req.params));
      }),
    ]);
    await ready;
    const paths = ['/a/hello', '/b/hello', '/c/hello', '/d/x', '/e/hello', '/tenants/7'];
    expect(await Promise.all(paths.map((path) => textOf(url + path)))).toEqual([
      'router',
      'default',
      'router',
      'handler',
      'cjs',
      '{"tenant":"7"}',
    ]);
    expect((await fetch(`${url}/a/nothing`)).status).toBe(404);
  });

  it('answers 503 with Retry-After at the prefix of a failed module, and leaves the others alone', async () => {
    const { ready, url, ...handle } = await mount(
      [
        module('broken', '/broken', () => Promise.reject(new Error('no such file'))),
        module('fine', '/fine', () => hello('fine')),
      ],
      { retryMinMs: 60_000, retryMaxMs: 60_000 },
    );
    await ready;

    const refused = await fetch(`${url}/broken/any/path`);
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(30);
    expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(60);
    expect(await refused.json()).toMatchObject({
      error: { code: 503, type: 'module_unavailable', message: 'The module "broken" is not available' },
    });
    expect(await textOf(`${url}/fine/hello`)).toBe('fine');
    expect(handle.states()).toEqual([
      {
        name: 'broken',
        prefix: '/broken',
        state: 'failed',
        critical: false,
        attempts: 1,
        error: expect.objectContaining({ message: 'no such file' }),
      },
      { name: 'fine', prefix: '/fine', state: 'ready', critical: false, attempts: 1, error: undefined },
    ]);
  });

  it('tries again and mounts what works at its place in the order, without a restart', async () => {
    const mounted = await mount([
      module(
        'late',
        '/x',
        failing(3, () => hello('module')),
      ),
    ]);
    mounted.app.use('/x', (_req, res) => void res.send('behind'));
    await mounted.ready;
    expect(stateOf(mounted, 'late')).toBe('failed');

    await eventually(() => expect(stateOf(mounted, 'late')).toBe('ready'));
    expect(await textOf(`${mounted.url}/x/hello`)).toBe('module');
    expect(mounted.states()[0]).toMatchObject({ attempts: 4, error: undefined });
  });

  it.each<[string, Load]>([
    ['throws at once', failing(1, () => hello('ok'))],
    ['rejects', failing(1, async () => hello('ok'))],
    ['gives no router', ({ attempt }) => (attempt === 1 ? {} : hello('ok'))],
    ['gives an app', ({ attempt }) => (attempt === 1 ? express() : hello('ok'))],
    ['gives an error handler', ({ attempt }) => (attempt === 1 ? (errorHandler() as never) : hello('ok'))],
    ['gives nothing', ({ attempt }) => (attempt === 1 ? (null as never) : hello('ok'))],
    ['throws nothing', ({ attempt }) => (attempt === 1 ? Promise.reject() : hello('ok'))],
  ])('takes a load that %s for a failure', async (_what, load) => {
    const mounted = await mount([module('a', '/a', load)]);
    await mounted.ready;
    expect(stateOf(mounted, 'a')).toBe('failed');
    await eventually(() => expect(stateOf(mounted, 'a')).toBe('ready'));
  });

  it('gives up a load that hangs, tells it so, and tries again', async () => {
    const aborted: unknown[] = [];
    let arrive: (router: Router) => void = () => undefined;
    const second = new Promise<Router>((resolve) => (arrive = resolve));
    const load: Load = ({ attempt, signal }) => {
      if (attempt > 1) return second;
      signal.addEventListener('abort', () => aborted.push(signal.reason));
      return new Promise(() => undefined);
    };
    const mounted = await mount([module('a', '/a', load, { timeoutMs: 200 })]);
    expect((await fetch(`${mounted.url}/a`)).headers.get('retry-after')).toBe('1');
    await mounted.ready;
    expect(aborted).toEqual([expect.objectContaining({ message: 'did not load within 200 ms' })]);
    arrive(hello('second'));
    await eventually(() => expect(stateOf(mounted, 'a')).toBe('ready'));
    expect(await textOf(`${mounted.url}/a/hello`)).toBe('second');
  });

  it('takes what comes after its time too, where nothing came since', async () => {
    let finish: ((router: Router) => void) | undefined;
    const load: Load = ({ attempt }) => {
      return attempt === 1
        ? new Promise((resolve) => (finish = resolve))
        : Promise.reject(new Error('worse'));
    };
    const mounted = await mount([module('a', '/a', load, { timeoutMs: 10 })]);
    await mounted.ready;
    finish?.(hello('late'));
    await eventually(() => expect(stateOf(mounted, 'a')).toBe('ready'));
    expect(await textOf(`${mounted.url}/a/hello`)).toBe('late');
  });

  it('closes the second of two loads that both came through', async () => {
    const closed: string[] = [];
    let finish: ((loaded: object) => void) | undefined;
    const load: Load = ({ attempt }) => {
      if (attempt === 1) return new Promise((resolve) => (finish = resolve));
      return { router: hello('second'), close: () => closed.push('second') };
    };
    const mounted = await mount([module('a', '/a', load, { timeoutMs: 10 })]);
    await eventually(() => expect(stateOf(mounted, 'a')).toBe('ready'));
    finish?.({ router: hello('first'), close: () => closed.push('first') });
    await eventually(() => expect(closed).toEqual(['first']));
    expect(await textOf(`${mounted.url}/a/hello`)).toBe('second');
  });

  it('never has more than a few loads under way that hang', async () => {
    let begun = 0;
    const load: Load = () => {
      begun += 1;
      return new Promise(() => undefined);
    };
    const mounted = await mount([module('a', '/a', load, { timeoutMs: 1 })], {
      retryMinMs: 1,
      retryMaxMs: 1,
    });
    await eventually(() => expect(begun).toBe(5));
    // More than enough for many further tries.
    await wait(60);
    expect(begun).toBe(5);
    expect(stateOf(mounted, 'a')).toBe('failed');
  });
});
