import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { CriticalModuleError, module, type Load } from '@signalbox/compose';
import { hello, mount, stateOf, textOf } from './mounted.js';
import { eventually } from './support.js';

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
    await eventually(() => expect(stateOf(mounted, 'top')).toBe('ready'));
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
