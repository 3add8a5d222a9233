import { EventEmitter, once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { listen } from '@signalbox/testing';
import express from 'express';
import { describe, expect, it } from 'vitest';
import {
  currentRequest,
  outsideRequests,
  remainingMs,
  requestContext,
  runInContext,
  traceHeaders,
} from '../src/index.js';

describe('runInContext', () => {
  it('gives a job an id, facts and a trace of its own', async () => {
    const result = await runInContext({ id: 'job-7', log: 'a logger' }, async () => {
      await sleep(1);
      return currentRequest();
    });

    expect(result).toMatchObject({ id: 'job-7', log: 'a logger', req: undefined, deadline: undefined });
    expect(result?.facts.userId).toBeUndefined();
    expect(result?.signal.aborted).toBe(false);
    expect(result?.trace).toBe(result?.trace);
    expect(result?.signal).toBe(result?.signal);
    expect(currentRequest()).toBeUndefined();
  });

  it('makes up an id', () => {
    expect(runInContext({}, () => currentRequest()?.id)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
  });

  it('keeps the signal, the deadline, the facts and the trace that it is given', () => {
    const signal = AbortSignal.abort();
    const deadline = performance.now() + 1_000;
    const facts = { userId: 'u1' };
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00';

    runInContext({ signal, deadline, facts, traceparent, tracestate: 'a=1' }, () => {
      const scope = currentRequest();
      expect(scope?.signal).toBe(signal);
      expect(scope?.facts).toBe(facts);
      expect(scope?.trace.parentId).toBe('00f067aa0ba902b7');
      expect(traceHeaders()['tracestate']).toBe('a=1');
      expect(remainingMs()).toBeGreaterThan(0);
      expect(remainingMs()).toBeLessThanOrEqual(1_000);
    });
  });

  it('stays in the trace of the request that it was started from', async () => {
    const app = express().use(requestContext());
    app.get('/', async (req, res) => {
      const job = await runInContext({}, async () => currentRequest());
      res.json({
        sameTrace: job?.trace.traceId === req.trace.traceId,
        itsParent: job?.trace.parentId === req.trace.spanId,
        sameId: job?.id === req.id,
        after: currentRequest()?.id === req.id,
      });
    });

    expect(await (await fetch(await listen(app))).json()).toEqual({
      sameTrace: true,
      itsParent: true,
      sameId: false,
      after: true,
    });
  });

  it('goes on in a scope that it is handed, as in the events of a socket', async () => {
    const socket = new EventEmitter();
    const heard = once(socket, 'heard');
    const app = express().use(requestContext());
    app.get('/', (req, res) => {
      const scope = currentRequest();
      if (scope === undefined) throw new Error('no scope');
      socket.on('event', () => runInContext(scope, () => socket.emit('heard', currentRequest()?.id)));
      res.send(req.id);
    });
    const id = await (await fetch(await listen(app))).text();

    // Outside of the request, as a socket's events are.
    socket.emit('event');

    expect(await heard).toEqual([id]);
  });

  it('passes on what the function throws', () => {
    expect(() =>
      runInContext({}, () => {
        throw new Error('broken');
      }),
    ).toThrow('broken');
  });
});

describe('outsideRequests', () => {
  it('runs what is of no request, also after it waits, and goes back', async () => {
    await runInContext({ id: 'job-7', deadline: performance.now() }, async () => {
      const inside = outsideRequests(async () => {
        const atOnce = currentRequest();
        await sleep(1);
        return [atOnce, currentRequest(), remainingMs()];
      });
      expect(currentRequest()?.id).toBe('job-7');
      expect(await inside).toEqual([undefined, undefined, Infinity]);
      expect(currentRequest()?.id).toBe('job-7');
    });
  });
});

describe('remainingMs', () => {
  it('is Infinity without a deadline, and never below zero', () => {
    expect(remainingMs()).toBe(Infinity);
    expect(runInContext({}, () => remainingMs())).toBe(Infinity);
    expect(runInContext({ deadline: performance.now() - 5 }, () => remainingMs())).toBe(0);
  });
});
