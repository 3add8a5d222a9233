import { routeTemplate } from '@signalbox/context';
import { errorHandler, notFound } from '@signalbox/errors';
import { signals, type DeprecatedCall, type FeatureState } from '@signalbox/signals';
import { listen } from '@signalbox/testing';
import express, { Router, type Express, type RequestHandler } from 'express';
import { heard, heardFeature } from '../../../test/support/heard.js';
import { jsonOf, send as sendRaw, type Answer as RawAnswer } from '../../../test/support/send.js';

export interface Answer extends RawAnswer {
  body: Record<string, unknown> & { error?: { type: string; message: string; details?: unknown } };
}

/** The path is sent as it is written. */
export async function send(
  method: string,
  url: string,
  headers: Record<string, string | string[]> = {},
  path = url.replace(/^http:\/\/[^/]*/, '') || '/',
): Promise<Answer> {
  const answer = await sendRaw(url, { method, path, headers });
  return { ...answer, body: jsonOf(answer) as Answer['body'] };
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
  return { calls: heard(signals.deprecatedCall), features: heardFeature('version-usage') };
}
