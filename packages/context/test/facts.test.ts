import { EventEmitter, once } from 'node:events';
import { listen } from '@signalbox/testing';
import express from 'express';
import { describe, expect, it } from 'vitest';
import { currentRequest, facts, requestContext } from '../src/index.js';

describe('facts', () => {
  it('is one object for a request, from its first middleware to its log line', async () => {
    const events = new EventEmitter();
    const app = express().use(requestContext());
    app.use((req, res, next) => {
      res.on('finish', () => events.emit('finished', { ...facts(req) }));
      facts(req).userId = 'u1';
      next();
    });
    app.get('/', (req, res) => {
      const own = currentRequest()?.facts;
      if (own !== undefined) own.cacheStatus = 'hit';
      res.json(own === facts(req));
    });
    const finished = once(events, 'finished');

    expect(await (await fetch(await listen(app))).json()).toBe(true);
    expect(await finished).toEqual([expect.objectContaining({ userId: 'u1', cacheStatus: 'hit' })]);
  });

  it('works without requestContext(), and does not make a context of it', async () => {
    const app = express();
    app.get('/', (req, res) => {
      facts(req).silent = true;
      res.json([facts(req).silent, currentRequest() === undefined]);
    });

    expect(await (await fetch(await listen(app))).json()).toEqual([true, true]);
  });

  it('belongs to one request alone', async () => {
    const app = express();
    app.get('/', (req, res) => {
      res.json(facts(req).userId ?? null);
      facts(req).userId = 'u1';
    });
    const url = await listen(app);

    expect(await (await fetch(url)).json()).toBeNull();
    expect(await (await fetch(url)).json()).toBeNull();
  });
});
