import express, { Router } from 'express';
import { describe, expect, it, onTestFinished } from 'vitest';
import { module, modules, type Load } from '@signalbox/compose';
import { facts, routeTemplate } from '@signalbox/context';
import { signals, type ModuleState } from '@signalbox/signals';
import { failing, hello, mount, silent, stateOf } from './mounted.js';
import { eventually } from './support.js';

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
    await eventually(() => expect(stateOf(mounted, 'a')).toBe('ready'));

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

  it('explains the failure that Node keeps', async () => {
    const messages: string[] = [];
    const log = { ...silent, error: (_details: object, message: string) => void messages.push(message) };
    const kept = new Error('evaluated once');
    await mount([module('a', '/a', () => Promise.reject(kept))], { log });
    await eventually(() => expect(messages.length).toBeGreaterThan(1));
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
    await eventually(() => expect(events).toEqual(['aborted', 'closed']));
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
