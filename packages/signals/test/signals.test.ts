import { channel } from 'node:diagnostics_channel';
import { describe, expect, it, vi } from 'vitest';
import { signals, type ServerState } from '../src/index.js';
import { signal } from '../src/signal.js';

const ready: ServerState = { server: {}, state: 'ready' };

describe('signals', () => {
  it('carries a payload to every subscriber, in order, before publish returns', () => {
    const heard: string[] = [];
    const ends = [
      signals.serverState.subscribe(({ state }) => heard.push(`first ${state}`)),
      signals.serverState.subscribe(({ state }) => heard.push(`second ${state}`)),
    ];

    signals.serverState.publish(ready);
    for (const end of ends) end();

    expect(heard).toEqual(['first ready', 'second ready']);
  });

  it('says whether anybody listens', () => {
    // Not one of the catalogue: what packages in this process listen to stays heard.
    const own = signal<ServerState>('signals.test');
    expect(own.hasSubscribers).toBe(false);
    const end = own.subscribe(() => undefined);
    expect(own.hasSubscribers).toBe(true);
    end();
    expect(own.hasSubscribers).toBe(false);
  });

  it('hands nothing on after the subscription ended, and ends it twice without harm', () => {
    const listener = vi.fn<(payload: ServerState) => void>();
    const end = signals.serverState.subscribe(listener);
    end();
    end();

    signals.serverState.publish(ready);

    expect(listener).not.toHaveBeenCalled();
  });

  it('tells of an asynchronous subscriber that fails, and the process goes on', async () => {
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
    const end = signals.serverState.subscribe(async () => {
      await Promise.reject(new Error('a listener that fails later'));
    });

    signals.serverState.publish(ready);
    end();
    expect((await warned).message).toBe('a listener that fails later');
  });

  it('keeps a subscriber that throws from the publisher and from the other subscribers', async () => {
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
    const other = vi.fn<(payload: ServerState) => void>();
    const ends = [
      signals.serverState.subscribe(() => {
        throw new Error('a listener that fails');
      }),
      signals.serverState.subscribe(other),
    ];

    expect(() => signals.serverState.publish(ready)).not.toThrow();
    for (const end of ends) end();

    expect(other).toHaveBeenCalledWith(ready);
    expect((await warned).message).toBe('a listener that fails');
  });

  it('is heard by anything that subscribes on node:diagnostics_channel', () => {
    const heard = vi.fn<(message: unknown) => void>();
    const listener = (message: unknown) => heard(message);
    channel('signalbox:server.state').subscribe(listener);

    signals.serverState.publish(ready);
    channel('signalbox:server.state').unsubscribe(listener);

    expect(heard).toHaveBeenCalledWith(ready);
  });

  it('names every signal signalbox:<package>.<event>, each name once', () => {
    const names = Object.values(signals).map(({ name }) => name);

    for (const name of names) expect(name).toMatch(/^signalbox:[a-z]+(-[a-z]+)*\.[a-z]+(-[a-z]+)*$/);
    expect(new Set(names).size).toBe(names.length);
  });
});
