import type { Agent } from 'node:http';
import { errorHandler } from '@signalbox/errors';
import { signals, type FeatureState, type SessionEvent } from '@signalbox/signals';
import express, { type Express, type RequestHandler } from 'express';
import { onTestFinished } from 'vitest';
import { heardFeature } from '../../../test/support/heard.js';
import { jsonOf, send as sendRaw, type Answer as RawAnswer } from '../../../test/support/send.js';
import {
  memoryStore,
  sessions,
  type Sessions,
  type SessionsOptions,
  type SessionStore,
} from '../src/index.js';

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

export interface Answer extends RawAnswer {
  body: Record<string, never> & { error?: { type: string; message: string } };
  /** The cookie that was set, as it is sent back. */
  cookie: string | undefined;
}

/** One request, without fetch's rules about headers. */
export async function send(
  method: string,
  url: string,
  { cookie, json, agent, headers = {} }: SendOptions = {},
): Promise<Answer> {
  const fields: Record<string, string> = { ...headers };
  if (cookie !== undefined) fields['cookie'] = cookie;
  if (json !== undefined) fields['content-type'] = 'application/json';
  const body = json === undefined ? '' : JSON.stringify(json);
  const answer = await sendRaw(url, { method, headers: fields, agent, body });
  return {
    ...answer,
    body: jsonOf(answer) as Answer['body'],
    cookie: answer.headers['set-cookie']?.find((each) => /sid=/.test(each))?.split(';')[0],
  };
}

export interface SendOptions {
  cookie?: string | undefined;
  json?: unknown;
  agent?: Agent | undefined;
  headers?: Readonly<Record<string, string>> | undefined;
}

/** A store that takes its time to save, and fails when it is told to. */
export interface SlowStore extends SessionStore {
  saves: number;
  fails: boolean;
}

export function slowStore(): SlowStore {
  const inner = memoryStore();
  const later = async <Answer>(store: { saves: number; fails: boolean }, work: () => Promise<Answer>) => {
    store.saves += 1;
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
    if (store.fails) throw new Error('the store is down');
    return work();
  };
  return {
    ...inner,
    saves: 0,
    fails: false,
    create(...args) {
      return later(this, () => inner.create(...args));
    },
    update(...args) {
      return later(this, () => inner.update(...args));
    },
  };
}

/** What is published until the test ends. */
export function listening(): { events: SessionEvent['event'][]; features: FeatureState[] } {
  const events: SessionEvent['event'][] = [];
  onTestFinished(signals.sessionEvent.subscribe(({ event }) => void events.push(event)));
  return { events, features: heardFeature('sessions') };
}
