import { randomUUID } from 'node:crypto';
import { errorHandler } from '@signalbox/errors';
import { listen } from '@signalbox/testing';
import express, { type Express, type Request, type RequestHandler } from 'express';
import { send } from '../../../test/support/send.js';

/** What the tests keep in a session. */
export interface TestSession {
  userId?: string | undefined;
  signedInAtMs?: number | undefined;
}

export type WithSession = Omit<Request, 'session'> & { session?: TestSession | undefined };

/** Reads sessions from a store that answers later, as `sessions()` with Redis does. */
export interface TestSessions extends RequestHandler {
  required(): RequestHandler;
  /** Makes a session and returns its cookie. */
  open(session: TestSession): string;
  /** How often the store was asked. */
  asked: number;
  isDown: boolean;
}

export function testSessions(): TestSessions {
  const kept = new Map<string, TestSession>();
  const failed = new WeakSet();

  const middleware: RequestHandler = function sessionMiddleware(req: WithSession, _res, next) {
    const id = /(?:^|; )sid=([\w-]+)/.exec(req.headers.cookie ?? '')?.[1];
    if (req.session !== undefined || id === undefined) return next();
    sessions.asked += 1;
    setImmediate(() => {
      if (sessions.isDown) failed.add(req);
      else req.session = kept.get(id);
      next();
    });
  };

  const sessions = Object.assign(middleware, {
    asked: 0,
    isDown: false,
    required: (): RequestHandler => (req, _res, next) => {
      const down = Object.assign(new Error('No sessions at the moment'), {
        status: 503,
        code: 'session_store_unavailable',
        expose: true,
      });
      next(failed.has(req) ? down : Object.assign(new Error('Sign in'), { status: 401, code: 'other' }));
    },
    open(session: TestSession): string {
      const id = randomUUID();
      kept.set(id, session);
      return `sid=${id}`;
    },
  });
  return sessions;
}

/** Who a session is of. */
export function userOf(req: WithSession): string | undefined {
  return req.session?.userId;
}

/** An app that says who asks, behind these middlewares. */
export function appWith(...middlewares: RequestHandler[]): Express {
  const app = express();
  app.use((_req, res, next) => {
    // Tells the error handler that the error will be logged: what fails here is meant to.
    Object.assign(res, { err: undefined });
    next();
  });
  app.get('/', ...middlewares, (req, res) => {
    res.json(req.auth ?? null);
  });
  app.use(errorHandler());
  return app;
}

export interface Answer {
  readonly status: number;
  readonly challenge: string | undefined;
  /** The principal, or of an error its type. */
  readonly who: unknown;
  readonly code: string | undefined;
  readonly error: Record<string, unknown> | undefined;
}

export type Headers = Record<string, string | string[]>;

/** GETs with exactly these header fields: fetch would join two of a name. */
async function get(url: string, headers: Headers = {}): Promise<Answer> {
  const answer = await send(url, { headers });
  const who = JSON.parse(answer.text) as { error?: Record<string, unknown> } | null;
  return {
    status: answer.status,
    challenge: answer.headers['www-authenticate'],
    who,
    code: who?.error?.['type'] as string | undefined,
    error: who?.error,
  };
}

/** As {@link get}, of an app of its own. */
export async function asker(
  ...middlewares: RequestHandler[]
): Promise<(headers?: Headers, path?: string) => Promise<Answer>> {
  const url = await listen(appWith(...middlewares));
  return (headers, path = '/') => get(url + path, headers);
}
