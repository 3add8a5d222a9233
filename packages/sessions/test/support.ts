import { request, type Agent, type IncomingHttpHeaders } from 'node:http';
import { errorHandler } from '@signalbox/errors';
import { signals, type FeatureState, type SessionEvent } from '@signalbox/signals';
import express, { type Express, type RequestHandler } from 'express';
import { Redis } from 'ioredis';
import { onTestFinished } from 'vitest';
import { sessions, type Sessions, type SessionsOptions } from '../src/index.js';

export const SECRET = 'a secret of at least 32 bytes, for tests';

declare module 'express-session' {
  interface SessionData {
    count?: number;
    cart?: unknown;
    [key: `key${number}`]: unknown;
  }
}

export interface TestApp {
  app: Express;
  session: Sessions;
}

/** An app that signs in and out, and shows and changes what the session holds. */
export function appWith(options: Partial<SessionsOptions> = {}, ...more: readonly RequestHandler[]): TestApp {
  const session = sessions({ secrets: SECRET, ...options });
  const app = express();
  app.disable('etag');
  app.use(session, ...more);
  app.post('/in/:user', express.json(), async (req, res) => {
    await session.signIn(req, req.params.user, req.body);
    res.json({ id: session.idOf(req) });
  });
  app.post('/out', async (req, res) => {
    await session.signOut(req);
    res.json({ session: req.session ?? null });
  });
  app.get('/me', (req, res) => {
    const { session: current } = req;
    const { cookie: _cookie, ...data } = current ?? {};
    res.json({ session: current === undefined ? null : data, user: req.user, id: session.idOf(req) });
  });
  app.get('/plain', (_req, res) => void res.json({ ok: true }));
  app.get('/read', (req, res) => void res.json({ count: req.session?.count }));
  app.post('/count', (req, res) => {
    req.session.count = (req.session.count ?? 0) + 1;
    res.json({ count: req.session.count });
  });
  app.put('/keys/:key', express.json({ limit: '1mb' }), (req, res) => {
    Object.assign(req.session, { [req.params['key'] ?? '']: req.body.value });
    res.json({ ok: true });
  });
  app.get('/required', session.required(), (req, res) => void res.json({ userId: req.session.userId }));
  app.get('/sessions', session.required(), async (req, res) => {
    res.json(await session.sessionsOf(req.session.userId ?? '', req));
  });
  onTestFinished(() => session.close());
  return { app, session };
}

/** Routes that answer errors come last. */
export function withErrors(app: Express): Express {
  return app.use(errorHandler());
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  body: Record<string, never> & { error?: { type: string; message: string } };
  /** The cookie that was set, as it is sent back. */
  cookie: string | undefined;
}

/** One request, without fetch's rules about headers. */
export function send(
  method: string,
  url: string,
  { cookie, json, agent, headers = {} }: SendOptions = {},
): Promise<Answer> {
  const body = json === undefined ? '' : JSON.stringify(json);
  const fields: Record<string, string> = { ...headers };
  if (cookie !== undefined) fields['cookie'] = cookie;
  if (json !== undefined) fields['content-type'] = 'application/json';
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers: fields, agent: agent ?? false }, (res) => {
      let text = '';
      res.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      res.on('error', reject);
      res.on('end', () => {
        const isJson = /json/.test(res.headers['content-type'] ?? '') && text !== '';
        resolve({
          status: res.statusCode ?? 0,
          headers: res.headers,
          text,
          body: isJson ? (JSON.parse(text) as Answer['body']) : {},
          cookie: res.headers['set-cookie']?.find((each) => /sid=/.test(each))?.split(';')[0],
        });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

export interface SendOptions {
  cookie?: string | undefined;
  json?: unknown;
  agent?: Agent | undefined;
  headers?: Readonly<Record<string, string>> | undefined;
}

/** A client as an app has one, with ioredis' own defaults, connected. */
export async function redisClient(url: string): Promise<Redis> {
  const client = new Redis(url);
  client.on('error', () => undefined);
  onTestFinished(() => client.disconnect());
  await client.ping();
  return client;
}

/** Looks until `probe` returns true, and fails after `timeoutMs`. */
export async function eventually(probe: () => boolean | Promise<boolean>, timeoutMs = 5_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await probe())) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${probe.toString()}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 10);
    });
  }
}

/** What is published until the test ends. */
export function listening(): { events: SessionEvent['event'][]; features: FeatureState[] } {
  const events: SessionEvent['event'][] = [];
  const features: FeatureState[] = [];
  const ends = [
    signals.sessionEvent.subscribe(({ event }) => void events.push(event)),
    signals.featureState.subscribe((state) => void features.push(state)),
  ];
  onTestFinished(() => ends.forEach((end) => end()));
  return { events, features };
}
