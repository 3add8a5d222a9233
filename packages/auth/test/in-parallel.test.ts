import { setTimeout as wait } from 'node:timers/promises';
import { TooManyRequestsError } from '@signalbox/errors';
import { describe, expect, it } from 'vitest';
import type { RequestHandler } from 'express';
import { inParallel } from '../../compose/src/index.js';
import {
  apiKey,
  apiKeys,
  authenticate,
  bearer,
  memoryKeyStore,
  memoryTokenStore,
  session,
  type KeyStore,
  type TokenStore,
} from '../src/index.js';
import { asker, testSessions, userOf } from './auth-support.js';
import { tokensWith } from './token-support.js';

/** Notes when a store is asked. */
function noting<Store extends object>(store: Store, name: string, log: string[]): Store {
  return new Proxy(store, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== 'function') return value;
      return async (...args: unknown[]): Promise<unknown> => {
        log.push(name);
        await wait(1);
        return Reflect.apply(value, target, args) as unknown;
      };
    },
  });
}

describe('authenticate within inParallel', () => {
  it('asks all its stores in the turn that the others ask in', async () => {
    const log: string[] = [];
    const tokens = tokensWith({ store: noting<TokenStore>(memoryTokenStore(), 'tokens', log) });
    const keys = apiKeys({ store: noting<KeyStore>(memoryKeyStore(), 'keys', log), cacheMs: 0 });
    const sessions = testSessions();
    const load: RequestHandler = (req, res, next) => {
      log.push('session');
      return sessions(req, res, next);
    };
    const turn: RequestHandler = (_req, _res, next) => {
      log.length = 0;
      log.push('limit');
      process.nextTick(() => log.push('the turn is over'));
      setImmediate(next);
    };
    const all = authenticate([bearer(tokens), apiKey(keys), session(userOf, { load })]);
    const ask = await asker(inParallel(turn, all));
    const { accessToken } = await tokens.issue('u_1');
    const { key } = await keys.create('u_1', { name: 'x' });

    const answer = await ask({
      authorization: `Bearer ${accessToken}`,
      'x-api-key': key,
      cookie: sessions.open({ userId: 'u_1' }),
    });
    expect(answer).toMatchObject({ status: 200, who: { subject: 'u_1', method: 'token' } });
    expect(log.slice(0, 5)).toEqual(['limit', 'tokens', 'keys', 'session', 'the turn is over']);
  });

  it('knows the user of a session that is read at the same time, and its absence', async () => {
    const sessions = testSessions();
    const limit: RequestHandler = (_req, _res, next) => void setImmediate(next);
    const ask = await asker(inParallel(limit, authenticate([session(userOf, { load: sessions })])));
    expect(await ask({ cookie: sessions.open({ userId: 'u_1' }) })).toMatchObject({
      status: 200,
      who: { subject: 'u_1', method: 'session' },
    });
    expect(await ask({ cookie: 'sid=unknown' })).toMatchObject({ status: 401, challenge: 'Bearer' });
    expect(await ask()).toMatchObject({ status: 401, challenge: 'Bearer' });
  });

  it('lets the refusal of who stands before it win', async () => {
    const limit: RequestHandler = (_req, _res, next) =>
      void setImmediate(() => next(new TooManyRequestsError()));
    const ask = await asker(inParallel(limit, authenticate([bearer(tokensWith())])));
    expect(await ask({ authorization: 'Bearer forged' })).toMatchObject({ status: 429 });
  });
});
