import { setTimeout as wait } from 'node:timers/promises';
import express, { Router, type Express, type RequestHandler } from 'express';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  CriticalModuleError,
  module,
  modules,
  type Load,
  type ModuleSpec,
  type Modules,
  type ModulesOptions,
} from '@signalbox/compose';
import { facts, requestContext, routeTemplate } from '@signalbox/context';
import { errorHandler, notFound } from '@signalbox/errors';
import { signals, type ModuleState } from '@signalbox/signals';
import { listen } from '@signalbox/testing';

const SOON = { retryMinMs: 5, retryMaxMs: 20 };

/** A router with one route, `GET /hello`. */
function hello(text: string): Router {
  return Router().get('/hello', (_req, res) => void res.send(text));
}

/** Fails the first times. */
function failing(times: number, then: Load): Load {
  let left = times;
  return (context) => {
    if (left-- > 0) throw new Error('no database');
    return then(context);
  };
}

interface Mounted extends Modules {
  app: Express;
  url: string;
}

/** An app of these modules, with what comes before and after them. */
async function mount(specs: ModuleSpec[], options: ModulesOptions = {}): Promise<Mounted> {
  const app = express();
  app.use(requestContext(), (req, _res, next) => {
    Object.assign(req, { log: { error: () => undefined } });
    next();
  });
  const handle = modules(app, specs, { log: silent, ...SOON, ...options });
  onTestFinished(() => handle.close());
  app.use(notFound(), errorHandler());
  return { ...handle, app, url: await listen(app) };
}

const silent = { info: () => undefined, error: () => undefined };

async function textOf(url: string): Promise<string> {
  return (await fetch(url)).text();
}

function stateOf({ states }: Modules, name: string): string | undefined {
  return states().find((report) => report.name === name)?.state;
}

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

    await vi.waitFor(() => expect(stateOf(mounted, 'late')).toBe('ready'), { timeout: 5000 });
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
    await vi.waitFor(() => expect(stateOf(mounted, 'a')).toBe('ready'));
  });

  it('gives up a load that hangs, tells it so, and tries again', async () => {
    const aborted: unknown[] = [];
    const load: Load = ({ attempt, signal }) => {
      if (attempt > 1) return hello('second');
      signal.addEventListener('abort', () => aborted.push(signal.reason));
      return new Promise(() => undefined);
    };
    const mounted = await mount([module('a', '/a', load, { timeoutMs: 20 })]);
    expect((await fetch(`${mounted.url}/a`)).headers.get('retry-after')).toBe('1');
    await mounted.ready;
    expect(aborted).toEqual([expect.objectContaining({ message: 'did not load within 20 ms' })]);
    await vi.waitFor(() => expect(stateOf(mounted, 'a')).toBe('ready'));
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
    await vi.waitFor(() => expect(stateOf(mounted, 'a')).toBe('ready'));
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
    await vi.waitFor(() => expect(stateOf(mounted, 'a')).toBe('ready'));
    finish?.({ router: hello('first'), close: () => closed.push('first') });
    await vi.waitFor(() => expect(closed).toEqual(['first']));
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
    await vi.waitFor(() => expect(begun).toBe(5));
    // More than enough for many further tries.
    await wait(60);
    expect(begun).toBe(5);
    expect(stateOf(mounted, 'a')).toBe('failed');
  });
});

describe('dependsOn', () => {
  it('loads a module after those that it depends on, and the rest at the same time', async () => {
    const events: string[] = [];
    let release: (() => void) | undefined;
    const load = (name: string): Load => {
      return async () => {
        events.push(`${name} begins`);
        if (name === 'base') await new Promise<void>((resolve) => (release = resolve));
        events.push(`${name} ends`);
        return hello(name);
      };
    };
    const mounted = await mount([
      module('top', '/top', load('top'), { dependsOn: ['middle'] }),
      module('middle', '/middle', load('middle'), { dependsOn: ['base', 'other'] }),
      module('base', '/base', load('base')),
      module('other', '/other', load('other')),
    ]);
    expect(stateOf(mounted, 'top')).toBe('waiting');
    expect(stateOf(mounted, 'base')).toBe('loading');
    release?.();
    await mounted.ready;
    expect(events).toEqual([
      'base begins',
      'other begins',
      'other ends',
      'base ends',
      'middle begins',
      'middle ends',
      'top begins',
      'top ends',
    ]);
  });

  it('keeps a module waiting while one that it depends on is down, without holding the boot up', async () => {
    let loads = 0;
    const count: Load = () => {
      loads += 1;
      return hello('top');
    };
    let works = false;
    const base: Load = () => {
      if (!works) throw new Error('down');
      return hello('base');
    };
    const mounted = await mount([
      module('base', '/base', base),
      module('top', '/top', count, { dependsOn: ['base'] }),
    ]);
    await mounted.ready;
    expect(stateOf(mounted, 'top')).toBe('waiting');
    expect((await fetch(`${mounted.url}/top/hello`)).status).toBe(503);
    expect(loads).toBe(0);

    works = true;
    await vi.waitFor(() => expect(stateOf(mounted, 'top')).toBe('ready'));
    expect(loads).toBe(1);
    expect(await textOf(`${mounted.url}/top/hello`)).toBe('top');
  });
});

describe('a critical module', () => {
  it('stops the boot when it fails, and ends all tries', async () => {
    let tries = 0;
    const mounted = await mount([
      module('other', '/other', () => {
        tries += 1;
        throw new Error('down');
      }),
      module('auth', '/auth', () => Promise.reject(new Error('no keys')), { critical: true }),
    ]);
    const error: unknown = await mounted.ready.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(CriticalModuleError);
    expect(error).toMatchObject({
      message: 'The critical module "auth" failed to load',
      module: 'auth',
      code: 'critical_module_failed',
      cause: { message: 'no keys' },
    });
    await wait(50);
    expect(tries).toBe(1);
  });

  it('stops the boot when what it depends on fails, naming it', async () => {
    const { ready } = await mount([
      module('database', '/db', () => Promise.reject(new Error('refused'))),
      module('users', '/users', () => hello('x'), { dependsOn: ['database'] }),
      module('auth', '/auth', () => hello('x'), { critical: true, dependsOn: ['users'] }),
    ]);
    await expect(ready).rejects.toMatchObject({
      module: 'auth',
      cause: {
        message: 'It depends on "users", which failed to load',
        cause: { cause: { message: 'refused' } },
      },
    });
  });

  it('lets the boot go on when it is ready', async () => {
    const { ready } = await mount([module('auth', '/auth', () => hello('x'), { critical: true })]);
    await expect(ready).resolves.toBeUndefined();
  });
});

describe('what is told', () => {
  it('publishes every change as a signal, and logs it', async () => {
    const heard: ModuleState[] = [];
    onTestFinished(signals.moduleState.subscribe((state) => void heard.push(state)));
    const lines: [string, object, string][] = [];
    const log = {
      info: (details: object, message: string) => void lines.push(['info', details, message]),
      error: (details: object, message: string) => void lines.push(['error', details, message]),
    };
    const mounted = await mount(
      [
        module(
          'a',
          '/a',
          failing(1, () => hello('x')),
        ),
      ],
      { log },
    );
    await vi.waitFor(() => expect(stateOf(mounted, 'a')).toBe('ready'));

    const error = expect.objectContaining({ message: 'no database' }) as unknown;
    expect(heard).toEqual([
      { module: 'a', prefix: '/a', state: 'loading', error: undefined },
      { module: 'a', prefix: '/a', state: 'failed', error },
      { module: 'a', prefix: '/a', state: 'ready', error: undefined },
    ]);
    expect(lines).toEqual([
      [
        'error',
        { module: 'a', prefix: '/a', attempts: 1, err: error },
        expect.stringMatching(/^Module "a" failed to load; the next try is in \d\.\d s$/),
      ],
      ['info', { module: 'a', prefix: '/a', attempts: 2 }, 'Module "a" is ready at /a'],
    ]);
  });

  it('is a process warning where nobody listens', async () => {
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
    await mount(
      [
        module(
          'a',
          '/a',
          failing(1, () => hello('x')),
        ),
      ],
      { log: undefined },
    );
    expect((await warned).message).toMatch(
      /^Module "a" failed to load; the next try is in .*: Error: no database\n/,
    );
  });

  it('explains the failure that Node keeps', async () => {
    const messages: string[] = [];
    const log = { ...silent, error: (_details: object, message: string) => void messages.push(message) };
    const kept = new Error('evaluated once');
    await mount([module('a', '/a', () => Promise.reject(kept))], { log });
    await vi.waitFor(() => expect(messages.length).toBeGreaterThan(1));
    expect(messages[0]).not.toContain('by its URL');
    expect(messages[1]).toContain("load it by its URL, new URL('./file.js', import.meta.url)");
  });

  it('gives routes their template, and the request its prefix', async () => {
    const seen: unknown[] = [];
    const router = Router().get('/items/:id', (req, res) => {
      seen.push(routeTemplate(req), facts(req).prefix);
      res.end();
    });
    const { ready, url } = await mount([module('a', '/api/:tenant', () => router)]);
    await ready;
    await fetch(`${url}/api/t1/items/7`);
    expect(seen).toEqual(['/api/:tenant/items/:id', '/api/:tenant']);
  });
});

describe('close', () => {
  it('closes what was loaded, the last first, once, and ends all tries', async () => {
    const closed: string[] = [];
    const closable = (name: string): Load => {
      return () => ({ router: hello(name), close: async () => void closed.push(name) });
    };
    const handle = modules(express(), [
      module('a', '/a', closable('a')),
      module('b', '/b', closable('b'), { dependsOn: ['a'] }),
    ]);
    await handle.ready;
    await Promise.all([handle.close(), handle.close()]);
    await handle.close();
    expect(closed).toEqual(['b', 'a']);
  });

  it('aborts what is loading, and closes it should it still come', async () => {
    const events: string[] = [];
    let finish: ((loaded: object) => void) | undefined;
    const handle = modules(express(), [
      module('a', '/a', ({ signal }) => {
        signal.addEventListener('abort', () => events.push('aborted'));
        return new Promise((resolve) => (finish = resolve));
      }),
    ]);
    await handle.close();
    await handle.ready;
    finish?.({ router: hello('x'), close: () => events.push('closed') });
    await vi.waitFor(() => expect(events).toEqual(['aborted', 'closed']));
  });

  it('tries to close all, and rejects with what failed', async () => {
    const closed: string[] = [];
    const handle = modules(express(), [
      module('a', '/a', () => ({ router: hello('a'), close: () => closed.push('a') })),
      module('b', '/b', () => ({ router: hello('b'), close: () => Promise.reject(new Error('stuck')) })),
    ]);
    await handle.ready;
    await expect(handle.close()).rejects.toMatchObject({ errors: [{ message: 'stuck' }] });
    expect(closed).toEqual(['a']);
  });
});
