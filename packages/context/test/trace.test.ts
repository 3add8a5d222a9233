import { listen } from '@signalbox/testing';
import express, { type Express } from 'express';
import { describe, expect, it } from 'vitest';
import { currentRequest, requestContext, traceHeaders, type Trace } from '../src/index.js';

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT_ID = '00f067aa0ba902b7';
const VALID = `00-${TRACE_ID}-${PARENT_ID}-01`;

interface Answer {
  trace: Trace;
  headers: Record<string, string>;
}

function app(): Express {
  return express()
    .use(requestContext())
    .get('/', (req, res) => {
      expect(currentRequest()?.trace).toBe(req.trace);
      res.json({ trace: req.trace, headers: traceHeaders() });
    });
}

async function ask(headers: Record<string, string>): Promise<Answer> {
  return (await (await fetch(await listen(app()), { headers })).json()) as Answer;
}

describe('req.trace', () => {
  it('continues the trace of the caller under a span of its own', async () => {
    const { trace } = await ask({ traceparent: VALID });

    expect(trace.traceId).toBe(TRACE_ID);
    expect(trace.parentId).toBe(PARENT_ID);
    expect(trace.sampled).toBe(true);
    expect(trace.spanId).toMatch(/^[0-9a-f]{16}$/);
    expect(trace.spanId).not.toBe(PARENT_ID);
    expect(trace.traceparent).toBe(`00-${TRACE_ID}-${trace.spanId}-01`);
  });

  it('begins a new, sampled trace where the caller has none', async () => {
    const first = (await ask({})).trace;
    const second = (await ask({})).trace;

    expect(first.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    expect(first.sampled).toBe(true);
    expect(first.parentId).toBeUndefined();
    expect(second.traceId).not.toBe(first.traceId);
  });

  it.each([
    ['00', false, '00'],
    ['01', true, '01'],
    ['03', true, '03'],
    ['ff', true, '03'],
    ['fc', false, '00'],
  ])('keeps the flags %s as far as they have a meaning', async (flags, sampled, sent) => {
    const { trace } = await ask({ traceparent: `00-${TRACE_ID}-${PARENT_ID}-${flags}` });

    expect(trace.sampled).toBe(sampled);
    expect(trace.traceparent.slice(-2)).toBe(sent);
  });

  it.each([
    ['a trace id of zeros', `00-${'0'.repeat(32)}-${PARENT_ID}-01`],
    ['a parent id of zeros', `00-${TRACE_ID}-${'0'.repeat(16)}-01`],
    ['version ff', `ff-${TRACE_ID}-${PARENT_ID}-01`],
    ['uppercase', `00-${TRACE_ID.toUpperCase()}-${PARENT_ID}-01`],
    ['something after version 00', `${VALID}-what`],
    ['a missing part', `00-${TRACE_ID}-${PARENT_ID}`],
    ['a long flag', `${VALID}1`],
    ['two at once', `${VALID}, ${VALID}`],
    ['letters that are no hex digits', `00-${'g'.repeat(32)}-${PARENT_ID}-01`],
    ['nothing in it', ''],
  ])('begins a new trace, without its tracestate, for a traceparent with %s', async (_what, traceparent) => {
    const { trace } = await ask({ traceparent, tracestate: 'a=1' });

    expect(trace.traceId).not.toBe(TRACE_ID);
    expect(trace.parentId).toBeUndefined();
    expect(trace.tracestate).toBeUndefined();
  });

  it('reads a later version as far as it knows it, and answers in its own', async () => {
    const { trace } = await ask({ traceparent: `cc-${TRACE_ID}-${PARENT_ID}-01-what-the-future-brings` });

    expect(trace.traceparent).toBe(`00-${TRACE_ID}-${trace.spanId}-01`);
  });

  it('passes the tracestate on', async () => {
    const { trace } = await ask({ traceparent: VALID, tracestate: 'congo=t61rcWkgMzE,rojo=00f067' });

    expect(trace.tracestate).toBe('congo=t61rcWkgMzE,rojo=00f067');
  });
});

describe('traceHeaders', () => {
  it('carries the running trace to the next service', async () => {
    const { trace, headers } = await ask({ traceparent: VALID, tracestate: 'a=1' });

    expect(headers).toEqual({ traceparent: trace.traceparent, tracestate: 'a=1' });
  });

  it('leaves out a tracestate that there is not', async () => {
    expect(Object.keys((await ask({ traceparent: VALID, tracestate: '' })).headers)).toEqual(['traceparent']);
  });

  it('is empty outside of a request', () => {
    expect(traceHeaders()).toEqual({});
  });
});
