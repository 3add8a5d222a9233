import { listen } from '@signalbox/testing';
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import type { Detail } from '../src/index.js';

/** An answer of the apps below: what a handler saw, or what an error was. */
export interface Answer {
  status: number;
  body: unknown;
  code: unknown;
  message: unknown;
  details: readonly Detail[];
}

const asJson: ErrorRequestHandler = (error: unknown, _req, res, _next) => {
  const { status = 500, code, message, details } = error as Record<string, unknown>;
  res.status(status as number).json({ code, message, details });
};

export const showValid: RequestHandler = (req, res) => {
  res.json({ valid: req.valid });
};

/** An app with a JSON parser, routes, and errors as JSON. */
export function appWith(addRoutes: (app: Express) => void): Express {
  const app = express();
  app.use(express.json({ limit: '2mb', strict: false }));
  addRoutes(app);
  app.use(asJson);
  return app;
}

/** Sends a request to an app in which every path is validated by `handlers`, or to a URL. */
export async function ask(
  target: string | readonly RequestHandler[],
  path: string,
  json?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const url =
    typeof target === 'string'
      ? target
      : await listen(appWith((app) => void app.all(['/items/:id', '/{*rest}'], ...target, showValid)));
  const response = await fetch(url + path, {
    method: json === undefined ? 'GET' : 'POST',
    headers: { ...(json !== undefined && { 'content-type': 'application/json' }), ...headers },
    body: json === undefined ? null : typeof json === 'string' ? json : JSON.stringify(json),
  });
  const body = (await response.json()) as Record<string, unknown>;
  const { code, message, details = [], valid } = body;
  return { status: response.status, body: valid, code, message, details: details as Detail[] };
}
