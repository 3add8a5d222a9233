import { errorHandler } from '@signalbox/errors';
import { signals, type FeatureState, type RateLimitDecision } from '@signalbox/signals';
import { listen } from '@signalbox/testing';
import express, { type Express, type RequestHandler } from 'express';
import { heard, heardFeature } from '../../../test/support/heard.js';
import { jsonOf, send as sendRaw, type Answer as RawAnswer } from '../../../test/support/send.js';
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

export interface Answer extends RawAnswer {
  body: Record<string, never> & { error?: { type: string; message: string; details?: unknown } };
}

export function get(url: string, headers: Record<string, string> = {}): Promise<Answer> {
  return send('GET', url, headers);
}

export async function send(
  method: string,
  url: string,
  headers: Record<string, string> = {},
  body = '',
): Promise<Answer> {
  const answer = await sendRaw(url, { method, headers, body });
  return { ...answer, body: jsonOf(answer) as Answer['body'] };
}

/** The statuses of so many requests, one after the other. */
export async function statuses(count: number, ask: () => Promise<Answer>): Promise<number[]> {
  const all: number[] = [];
  for (let index = 0; index < count; index++) all.push((await ask()).status);
  return all;
}

/** What is published until the test ends. */
export function listening(): { decisions: RateLimitDecision[]; features: FeatureState[] } {
  return { decisions: heard(signals.rateLimitDecision), features: heardFeature('rate-limit') };
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
