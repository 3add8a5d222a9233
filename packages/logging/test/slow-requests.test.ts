import { setTimeout as sleep } from 'node:timers/promises';
import { requestContext } from '@signalbox/context';
import { signals, type SlowRequest } from '@signalbox/signals';
import { listen } from '@signalbox/testing';
import express from 'express';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createLogger, requestLogger, slowAfter } from '../src/index.js';
import { isRequestLine, recorder, type Line, type Recorder } from './recorder.js';

async function server(slowMs: number): Promise<{ url: string; log: Recorder }> {
  const log = recorder();
  const app = express().use(
    requestContext(),
    requestLogger({ logger: createLogger({ destination: log }), slowMs }),
  );
  app.post('/api/ocr/:page', async (_req, res) => {
    await sleep(60);
    res.end();
  });
  app.get('/patient', slowAfter(60_000), (_req, res) => setTimeout(() => res.end(), 60));
  app.get('/hasty', slowAfter(1), (_req, res) => setTimeout(() => res.end(), 10));
  return { url: await listen(app), log };
}

function isSlowLine(line: Line): boolean {
  return String(line['msg']).startsWith('Slow request');
}

describe('a slow request', () => {
  it('gets a warning of its own beside its line, and a signal', async () => {
    const heard: SlowRequest[] = [];
    onTestFinished(signals.slowRequest.subscribe((event) => heard.push(event)));
    const { url, log } = await server(30);
    await fetch(`${url}/api/ocr/7`, { method: 'POST' });

    const request = await log.line(isRequestLine);
    const slow = await log.line(isSlowLine);
    expect(slow['msg']).toMatch(/^Slow request: POST \/api\/ocr\/:page took \d+ms$/);
    expect(slow).toMatchObject({
      level: 'warn',
      reqId: request['reqId'],
      route: '/api/ocr/:page',
      thresholdMs: 30,
    });
    expect(slow['msg']).toContain(`took ${Math.round(Number(request['durationMs']))}ms`);
    expect(heard).toEqual([
      { method: 'POST', route: '/api/ocr/:page', durationMs: expect.any(Number) as number, thresholdMs: 30 },
    ]);
  });

  it('is judged by the threshold of its route where there is one', async () => {
    const { url, log } = await server(30);
    await fetch(`${url}/patient`);
    await fetch(`${url}/hasty`);
    await log.line((line) => line['route'] === '/hasty' && isRequestLine(line));

    expect(log.lines.filter(isSlowLine)).toMatchObject([{ route: '/hasty', thresholdMs: 1 }]);
  });

  it('gets none where the threshold is Infinity', async () => {
    const { url, log } = await server(Number.POSITIVE_INFINITY);
    await fetch(`${url}/api/ocr/7`, { method: 'POST' });
    await log.line(isRequestLine);
    expect(log.lines).toHaveLength(1);
  });

  it.each([0, -1, Number.NaN, '5s'])('has no threshold of %s', (slowMs) => {
    expect(() => slowAfter(slowMs as number)).toThrow('slowAfter: "slowMs" must be a number above 0');
  });
});
