import { request, type IncomingHttpHeaders } from 'node:http';
import { errorHandler } from '@signalbox/errors';
import { signals, type FeatureState, type RateLimitDecision } from '@signalbox/signals';
import { listen } from '@signalbox/testing';
import express, { type Express, type RequestHandler } from 'express';
import { Redis } from 'ioredis';
import { onTestFinished } from 'vitest';
import type { RateLimitStore } from '../src/index.js';

/** An app that answers 200 behind the middlewares. */
export function appWith(...middlewares: readonly RequestHandler[]): Express {
  const app = express();
  app.use(...middlewares);
  app.use((req, res) => {
    res.json({ rateLimit: req.rateLimit ?? null });
  });
  app.use(errorHandler());
  return app;
}

/** Serves the middlewares until the test ends. */
export async function serving(...middlewares: readonly RequestHandler[]): Promise<string> {
  return listen(appWith(...middlewares));
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Record<string, never> & { error?: { type: string; message: string; details?: unknown } };
}

export function get(url: string, headers: Record<string, string> = {}): Promise<Answer> {
  return send('GET', url, headers);
}

/** `fetch` does not let some headers through, and joins others. */
export function send(
  method: string,
  url: string,
  headers: Record<string, string> = {},
  body = '',
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, agent: false }, (res) => {
      let text = '';
      res.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      res.on('end', () => {
        const isJson = /json/.test(res.headers['content-type'] ?? '');
        resolve({
          status: res.statusCode ?? 0,
          headers: res.headers,
          body: isJson ? (JSON.parse(text) as Answer['body']) : {},
        });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** The statuses of so many requests, one after the other. */
export async function statuses(count: number, ask: () => Promise<Answer>): Promise<number[]> {
  const all: number[] = [];
  for (let index = 0; index < count; index++) all.push((await ask()).status);
  return all;
}

/** A client as an app has one, with ioredis' own defaults, connected. */
export async function redisClient(port: number): Promise<Redis> {
  const client = unconnectedClient(port);
  await client.ping();
  return client;
}

/** A client whose server may not be there. */
export function unconnectedClient(port: number): Redis {
  const client = new Redis({ port, host: '127.0.0.1' });
  client.on('error', () => undefined);
  onTestFinished(() => client.disconnect());
  return client;
}

/** Looks until `probe` returns true, and fails after `timeoutMs`. */
export async function eventually(probe: () => boolean | Promise<boolean>, timeoutMs = 5_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await probe())) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${probe.toString()}`);
    await pause(10);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** What is published until the test ends. */
export function listening(): { decisions: RateLimitDecision[]; features: FeatureState[] } {
  const decisions: RateLimitDecision[] = [];
  const features: FeatureState[] = [];
  const ends = [
    signals.rateLimitDecision.subscribe((decision) => void decisions.push(decision)),
    signals.featureState.subscribe((state) => void features.push(state)),
  ];
  onTestFinished(() => ends.forEach((end) => end()));
  return { decisions, features };
}

/** A store that fails as long as it is told to. */
export function failingStore(inner: RateLimitStore): RateLimitStore & { isDown: boolean } {
  return {
    isDown: true,
    async take(asks) {
      if (this.isDown) throw new Error('the store is down');
      return inner.take(asks);
    },
    async refund(asks, standings) {
      await inner.refund(asks, standings);
    },
    reset: (limits, who) => inner.reset(limits, who),
    async probe() {
      if (this.isDown) throw new Error('the store is down');
    },
  };
}
