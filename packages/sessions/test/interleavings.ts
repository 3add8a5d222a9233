import type { Agent } from 'node:http';
import { RedisStore } from 'connect-redis';
import express, { type Express, type Request } from 'express';
import expressSession from 'express-session';
import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { appWith, SECRET, send, withErrors, type Answer } from './support.js';
import type { SessionsOptions } from '../src/index.js';

/** What one of several parallel requests does: when it begins, and how long it works until it writes. */
export interface Step {
  kind: 'write' | 'count' | 'signOut' | 'everywhere' | 'rotate';
  beginAfter: number;
  workFor: number;
}

const step = fc.record({
  kind: fc.oneof(
    { weight: 5, arbitrary: fc.constant('write' as const) },
    { weight: 3, arbitrary: fc.constant('count' as const) },
    { weight: 1, arbitrary: fc.constantFrom('signOut' as const, 'everywhere' as const, 'rotate' as const) },
  ),
  beginAfter: fc.nat(6),
  workFor: fc.nat(12),
});

/** Requests of one visitor that run at the same time. */
export const interleaving: fc.Arbitrary<Step[]> = fc.array(step, { minLength: 2, maxLength: 5 });

/** What must never happen. */
export interface Violations {
  /** Writes that were answered with 200 and are not there. */
  lost: number;
  /** Sessions that are alive after they were ended or replaced. */
  alive: number;
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

const workOf = (req: Request): Promise<void> => turns(Number(req.query['work']));

function addSlowWrite(app: Express): void {
  app.post('/slow-write/:key', async (req, res) => {
    const { session: current } = req;
    await workOf(req);
    Object.assign(current, { [req.params.key]: 'written' });
    res.json({});
  });
}

/** The model's routes on this package. */
export function ourApp(options: Partial<SessionsOptions>): Express {
  const { app, session } = appWith(options);
  addSlowWrite(app);
  app.post('/slow-count', async (req, res) => {
    await workOf(req);
    await session.change<number>(req, 'count', (count = 0) => count + 1);
    res.json({});
  });
  app.post('/slow-out', async (req, res) => {
    await workOf(req);
    await session.signOut(req);
    res.json({});
  });
  app.post('/slow-everywhere/:user', async (req, res) => {
    await workOf(req);
    await session.signOutEverywhere(req.params.user);
    res.json({});
  });
  app.post('/slow-in/:user', async (req, res) => {
    await workOf(req);
    await session.signIn(req, req.params.user);
    res.json({});
  });
  return withErrors(app);
}

/** The same routes on express-session and connect-redis as they come. */
export function stockApp(client: Redis): Express {
  const app = express();
  const store = new RedisStore({ client });
  app.use(expressSession({ name: 'sid', secret: SECRET, store, resave: false, saveUninitialized: false }));
  const called = (ask: (done: (error?: unknown) => void) => void): Promise<void> =>
    new Promise((resolve, reject) => ask((error) => (error ? reject(error) : resolve())));
  const signIn = async (req: Request, user: string): Promise<void> => {
    await called((done) => req.session.regenerate(done));
    req.session.userId = user;
  };
  app.post(['/in/:user', '/slow-in/:user'], async (req, res) => {
    await workOf(req);
    await signIn(req, String(req.params['user']));
    res.json({});
  });
  addSlowWrite(app);
  app.post('/slow-count', async (req, res) => {
    await workOf(req);
    req.session.count = (req.session.count ?? 0) + 1;
    res.json({});
  });
  app.post(['/slow-out', '/slow-everywhere/:user'], async (req, res) => {
    await workOf(req);
    await called((done) => req.session.destroy(done));
    res.json({});
  });
  app.get('/me', (req, res) => void res.json({ session: req.session }));
  return app;
}

let visitors = 0;

/** Asks again while the store does not answer: that says nothing about what is in it. */
async function answered(ask: () => Promise<Answer>): Promise<Answer> {
  for (let tries = 0; tries < 200; tries++) {
    const answer = await ask();
    if (answer.status !== 503 && answer.body['session'] !== null) return answer;
    await turns(20);
  }
  throw new Error('the store did not answer in 200 tries');
}

/** Signs somebody in, lets the requests run at the same time, and looks what is left. */
export async function play(url: string, steps: readonly Step[], agent: Agent): Promise<Violations> {
  visitors += 1;
  const user = `user-${visitors}`;
  const { cookie } = await answered(() => send('POST', `${url}/in/${user}`, { agent }));
  const paths = {
    write: (index: number) => `/slow-write/key${index}`,
    count: () => '/slow-count',
    signOut: () => '/slow-out',
    everywhere: () => `/slow-everywhere/${user}`,
    rotate: () => `/slow-in/${user}`,
  };
  const done = await Promise.all(
    steps.map(async ({ kind, beginAfter, workFor }, index) => {
      await turns(beginAfter);
      const path = paths[kind](index);
      const { status } = await send('POST', `${url}${path}?work=${workFor}`, { cookie, agent });
      return { kind, key: `key${index}`, status };
    }),
  );
  const { body } = await answered(() => send('GET', `${url}/me`, { cookie, agent }));
  return judge(done, body['session'] ?? {});
}

interface Done {
  kind: Step['kind'];
  key: string;
  status: number;
}

/** A 200 has happened; a 503 may have happened; nothing else has. */
function judge(done: readonly Done[], left: Readonly<Record<string, unknown>>): Violations {
  const ends = done.filter(({ kind }) => kind !== 'write' && kind !== 'count');
  if (ends.some(({ status }) => status === 200))
    return { lost: 0, alive: left['userId'] === undefined ? 0 : 1 };
  if (ends.some(({ status }) => status === 503)) return { lost: 0, alive: 0 };

  const lost = done.filter(
    ({ kind, key, status }) => kind === 'write' && status === 200 && left[key] !== 'written',
  );
  const counts = (wanted: number): number =>
    done.filter(({ kind, status }) => kind === 'count' && status === wanted).length;
  const missing = counts(200) - Number(left['count'] ?? 0);
  // More than were asked for would be as wrong.
  const isTooMuch = -missing > counts(503);
  return { lost: lost.length + (isTooMuch ? 1 : Math.max(0, missing)), alive: 0 };
}
