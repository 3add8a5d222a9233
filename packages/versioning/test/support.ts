import { request, type IncomingHttpHeaders } from 'node:http';
import { routeTemplate } from '@signalbox/context';
import { errorHandler, notFound } from '@signalbox/errors';
import { signals, type DeprecatedCall, type FeatureState } from '@signalbox/signals';
import { listen, waitUntil } from '@signalbox/testing';
import express, { Router, type Express, type RequestHandler } from 'express';
import { expect, onTestFinished } from 'vitest';

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  body: Record<string, unknown> & { error?: { type: string; message: string; details?: unknown } };
}

/** `fetch` sends an `Accept` of its own, cleans paths, and does not let some headers through. */
export function send(
  method: string,
  url: string,
  headers: Record<string, string | string[]> = {},
  path = url.replace(/^http:\/\/[^/]*/, '') || '/',
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, path, headers, agent: false }, (res) => {
      let text = '';
      res.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      res.on('end', () => {
        const isJson = /json/.test(res.headers['content-type'] ?? '') && text !== '';
        const body = isJson ? (JSON.parse(text) as Answer['body']) : {};
        resolve({ status: res.statusCode ?? 0, headers: res.headers, text, body });
      });
    });
    sent.on('error', reject);
    sent.end();
  });
}

export function get(url: string, headers: Record<string, string | string[]> = {}): Promise<Answer> {
  return send('GET', url, headers);
}

/** Answers with what it knows of the request. */
export function says(from: string): RequestHandler {
  return (req, res) => {
    res.json({
      from,
      version: req.apiVersion ?? null,
      params: req.params,
      url: req.url,
      baseUrl: req.baseUrl,
    });
  };
}

/** An app that keeps the route template of each response by its URL. */
export function observed(...use: readonly RequestHandler[]): {
  app: Express;
  templates: Map<string, string | undefined>;
} {
  const app = express();
  const templates = new Map<string, string | undefined>();
  app.use((req, res, next) => {
    res.on('close', () => templates.set(`${req.method} ${req.originalUrl}`, routeTemplate(req)));
    next();
  });
  app.use('/api', ...use);
  app.use(notFound());
  app.use(errorHandler());
  return { app, templates };
}

/** Serves under `/api` until the test ends. */
export async function serving(...use: readonly RequestHandler[]): Promise<string> {
  return `${await listen(observed(...use).app)}/api`;
}

/** A router of routes that answer GET with where they are from. */
export function routerOf(from: string, ...paths: readonly string[]): Router {
  const router = Router();
  for (const path of paths) router.get(path, says(from));
  return router;
}

/** What is published until the test ends. */
export function listening(): { calls: DeprecatedCall[]; features: FeatureState[] } {
  const calls: DeprecatedCall[] = [];
  const features: FeatureState[] = [];
  const ends = [
    signals.deprecatedCall.subscribe((call) => void calls.push(call)),
    signals.featureState.subscribe((state) => void features.push(state)),
  ];
  onTestFinished(() => ends.forEach((end) => end()));
  return { calls, features };
}

/** Looks until the probe returns true, and fails after five seconds. */
export async function eventually(probe: () => boolean | Promise<boolean>): Promise<void> {
  expect(await waitUntil(probe, 5_000), probe.toString()).toBe(true);
}
