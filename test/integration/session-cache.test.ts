import { cache } from '@signalbox/cache';
import { errorHandler } from '@signalbox/errors';
import { memoryStore, sessions } from '@signalbox/sessions';
import { listen } from '@signalbox/testing';
import express from 'express';
import { describe, expect, it, onTestFinished } from 'vitest';

describe('a cache behind what changes the session', () => {
  it('answers 503 where that cannot be saved, also when it has an old answer for a handler that fails', async () => {
    const is = { well: true };
    const store = memoryStore();
    const create: typeof store.create = async (...args) => {
      if (!is.well) throw new Error('the store is down');
      return store.create(...args);
    };
    const session = sessions({ secrets: 'x'.repeat(32), store: { ...store, create } });
    onTestFinished(() => session.close());
    const app = express();
    app.use(session, (req, _res, next) => {
      Object.assign(req.session, { visited: true });
      next();
    });
    app.get('/', cache({ shared: true, ttlMs: 1, staleIfErrorMs: 60_000 }), (_req, res) => {
      res.status(is.well ? 200 : 500).json({ well: is.well });
    });
    const url = await listen(app.use(errorHandler()));

    expect((await fetch(url)).status).toBe(200);
    is.well = false;
    await new Promise((resolve) => {
      setTimeout(resolve, 2);
    });
    const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    expect([answer.status, answer.headers.get('set-cookie')]).toEqual([503, null]);
  });
});
