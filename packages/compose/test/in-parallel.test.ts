import { AsyncLocalStorage } from 'node:async_hooks';
import { EventEmitter, once } from 'node:events';
import { connect } from 'node:net';
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import { describe, expect, it, onTestFinished } from 'vitest';
import { inParallel } from '@signalbox/compose';
import { currentRequest, deadline, requestContext } from '@signalbox/context';
import { errorHandler, ForbiddenError, TooManyRequestsError, UnauthorizedError } from '@signalbox/errors';
import { listen } from '@signalbox/testing';
import { eventually } from './support.js';

const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const pass: RequestHandler = (_req, _res, next) => next();
const passSoon: RequestHandler = (_req, _res, next) => void setImmediate(next);
const passLater: RequestHandler = (_req, _res, next) => void setTimeout(next, 15);

/** Gives the error handler a log to report to. */
const quiet: RequestHandler = (req, _res, next) => {
  Object.assign(req, { log: { error: () => undefined } });
  next();
};

/** An app that answers `{ ok: true }` behind the middleware, and keeps the errors that reach its end. */
function appWith(middleware: RequestHandler): { app: Express; errors: Error[] } {
  const errors: Error[] = [];
  const app = express();
  app.use(quiet, middleware);
  app.use((_req, res) => void res.json({ ok: true }));
  const keep: ErrorRequestHandler = (error: Error, _req, _res, next) => {
    errors.push(error);
    next(error);
  };
  app.use(keep);
  app.use(errorHandler());
  return { app, errors };
}

async function typeOf(response: Response): Promise<unknown> {
  const body = (await response.json()) as { error?: { type: string } };
  return body.error?.type ?? body;
}

describe('inParallel', () => {
  it('starts all members in one tick and goes on when all have called next', async () => {
    const events: string[] = [];
    const ends = new EventEmitter();
    const member = (name: string, other?: string): RequestHandler => {
      return async (_req, _res, next) => {
        events.push(`${name} starts`);
        if (other !== undefined) await once(ends, other);
        events.push(`${name} ends`);
        ends.emit(name);
        next();
      };
    };
    const { app } = appWith(inParallel(member('a', 'b'), member('b', 'c'), member('c')));

    expect(await typeOf(await fetch(await listen(app)))).toEqual({ ok: true });
    expect(events).toEqual(['a starts', 'b starts', 'c starts', 'c ends', 'b ends', 'a ends']);
  });

  it('starts the others although one has refused already', async () => {
    const started: string[] = [];
    const { app } = appWith(
      inParallel(
        (_req, _res, next) => next(new ForbiddenError()),
        (_req, _res, next) => {
          started.push('b');
          next();
        },
      ),
    );
    expect((await fetch(await listen(app))).status).toBe(403);
    expect(started).toEqual(['b']);
  });

  it('lets the first error in the order of the arguments win, however late it comes', async () => {
    const refusals = new EventEmitter();
    const limit: RequestHandler = async (_req, _res, next) => {
      await once(refusals, 'token');
      next(new TooManyRequestsError());
    };
    const token: RequestHandler = (_req, _res, next) => {
      next(new UnauthorizedError());
      refusals.emit('token');
    };

    const { app } = appWith(inParallel(limit, token));
    const response = await fetch(await listen(app));
    expect(response.status).toBe(429);
    expect(await typeOf(response)).toBe('too_many_requests');
  });

  it('does not wait for those behind the one that decides', async () => {
    const never: RequestHandler = () => undefined;
    const { app } = appWith(
      inParallel(passLater, (_req, _res, next) => next(new UnauthorizedError()), never),
    );
    expect((await fetch(await listen(app))).status).toBe(401);
  });

  it('takes throws and rejections for errors, also without a reason', async () => {
    const failing: RequestHandler[] = [
      () => {
        throw new ForbiddenError();
      },
      () => Promise.reject(new ForbiddenError()),
      async () => {
        await after(1);
        throw new ForbiddenError();
      },
    ];
    for (const member of failing) {
      const { app } = appWith(inParallel(pass, member));
      expect((await fetch(await listen(app))).status).toBe(403);
    }
    const reasonless: RequestHandler[] = [
      // oxlint-disable-next-line typescript/only-throw-error, no-throw-literal -- what a careless middleware does
      () => {
        throw undefined as unknown;
      },
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- likewise
      () => Promise.reject(),
    ];
    for (const member of reasonless) {
      const { app } = appWith(inParallel(pass, member));
      expect((await fetch(await listen(app))).status).toBe(500);
    }
  });

  it('goes on once, whatever a member does after its first word', async () => {
    const warnings: Error[] = [];
    const keep = (warning: Error): void => void warnings.push(warning);
    process.on('warning', keep);
    onTestFinished(() => void process.off('warning', keep));
    let handled = 0;
    const app = express();
    app.use(
      inParallel(
        (_req, _res, next) => {
          next();
          next();
          next(new ForbiddenError());
        },
        (_req, _res, next) => {
          next();
          throw new Error('afterwards');
        },
        async (_req, _res, next) => {
          next();
          await after(1);
          throw new Error('much later');
        },
        passLater,
      ),
    );
    app.use((_req, res) => {
      handled += 1;
      res.json({ handled });
    });

    const response = await fetch(await listen(app));
    expect(await response.json()).toEqual({ handled: 1 });
    await eventually(() => expect(warnings).toHaveLength(3));
    const said = warnings.map(({ message }) => message.split('\n')[0]);
    expect(said).toContainEqual(
      expect.stringContaining('failed after it had called next: Error: afterwards'),
    );
  });

  it('passes the signals of Express on like an error: the route is left', async () => {
    const app = express();
    const skip: RequestHandler = (_req, _res, next) => next('route');
    app.get(
      '/',
      inParallel(passLater, skip, (_req, _res, next) => next(new ForbiddenError())),
      (_req, res) => {
        res.send('first route');
      },
    );
    app.get('/', (_req, res) => void res.send('second route'));
    expect(await (await fetch(await listen(app))).text()).toBe('second route');
  });

  it('passes when it has no members, and takes lists of them', async () => {
    const { app } = appWith(inParallel([], [pass, passLater], inParallel(passLater, pass)));
    expect((await fetch(await listen(app))).status).toBe(200);
  });

  it('keeps the context of the request, also where a member is called back from elsewhere', async () => {
    const bus = new EventEmitter();
    const waiting: (() => void)[] = [];
    const viaBus: RequestHandler = (_req, _res, next) => {
      waiting.push(next);
      // The second request calls both back, from its own context, as a shared connection would.
      if (waiting.length === 2) bus.emit('answers');
    };
    bus.on('answers', () => {
      for (const next of waiting.splice(0)) next();
    });
    const app = express();
    app.use(requestContext({ trustRequestId: true }), inParallel(pass, viaBus));
    app.use((req, res) => void res.json([req.id, currentRequest()?.id]));

    const url = await listen(app);
    const ask = async (id: string): Promise<unknown> =>
      (await fetch(url, { headers: { 'x-request-id': id } })).json();
    expect(await Promise.all([ask('a'), ask('b')])).toEqual([
      ['a', 'a'],
      ['b', 'b'],
    ]);
  });

  it('goes on in the context that it was called in, whichever member is last', async () => {
    const storage = new AsyncLocalStorage<string>();
    const app = express();
    app.use((_req, _res, next) => storage.run('outer', next));
    app.use(
      inParallel(pass, (_req, _res, next) => {
        storage.run('inner', () => setTimeout(next, 1));
      }),
    );
    app.use((_req, res) => void res.json(storage.getStore()));
    expect(await (await fetch(await listen(app))).json()).toBe('outer');
  });
});

describe('a member that answers by itself', () => {
  const answersNow: RequestHandler = function answersNow(_req, res) {
    res.status(418).json({ by: 'member' });
  };
  const answersLater: RequestHandler = async function answersLater(_req, res) {
    await after(5);
    res.status(418).json({ by: 'member' });
  };

  it.each([
    ['at once', answersNow, [pass, answersNow]],
    ['at once, with others still waiting', answersNow, [passLater, answersNow]],
    ['later', answersLater, [pass, answersLater, pass]],
    ['later, as the last one missing', answersLater, [answersLater, passSoon]],
  ])('is reported by its name when it does so %s', async (_when, culprit, members) => {
    const { app, errors } = appWith(inParallel(...members));
    const response = await fetch(await listen(app));

    expect(response.status).toBe(418);
    expect(await response.json()).toEqual({ by: 'member' });
    await eventually(() => expect(errors).toHaveLength(1));
    expect(errors[0]).toMatchObject({ status: 500, code: 'answered_in_parallel' });
    expect(errors[0]?.message).toContain(`inParallel: "${culprit.name}" answered the request by itself`);
  });

  it('is one of several names where they were all awaited', async () => {
    const { app, errors } = appWith(inParallel(pass, answersLater, function neverDone() {}));
    expect((await fetch(await listen(app))).status).toBe(418);
    await eventually(() => expect(errors).toHaveLength(1));
    expect(errors[0]?.message).toContain(
      `"${answersLater.name}" or "neverDone" answered the request by itself`,
    );
  });

  it('never lets the handler answer a second time, though it calls next as well', async () => {
    const both: RequestHandler = function answersAndPasses(_req, res, next) {
      res.json({ by: 'member' });
      next();
    };
    const { app, errors } = appWith(inParallel(pass, both));
    expect(await (await fetch(await listen(app))).json()).toEqual({ by: 'member' });
    expect(errors.map(({ message }) => message)).toEqual([expect.stringContaining('"answersAndPasses"')]);
  });

  it('keeps the refusal of another member as the cause', async () => {
    const { app, errors } = appWith(inParallel((_req, _res, next) => next(new ForbiddenError()), answersNow));
    expect((await fetch(await listen(app))).status).toBe(418);
    expect(errors[0]?.cause).toBeInstanceOf(ForbiddenError);
  });

  it('may send headers early and pass, as in a chain', async () => {
    const app = express();
    app.use(
      inParallel(passLater, (_req, res, next) => {
        res.set('Content-Type', 'text/event-stream').flushHeaders();
        next();
      }),
    );
    app.use((_req, res) => void res.end('data: 1\n\n'));
    expect(await (await fetch(await listen(app))).text()).toBe('data: 1\n\n');
  });
});

describe('a client that goes away', () => {
  it('keeps the handler from running; the error handler sees status 499', async () => {
    const arrived = new EventEmitter();
    const handled: string[] = [];
    const errors: unknown[] = [];
    const app = express();
    app.use(
      inParallel(pass, (_req, res, next) => {
        res.once('close', () => next());
        arrived.emit('request');
      }),
    );
    app.use((_req, res) => {
      handled.push('handler');
      res.end();
    });
    const keep: ErrorRequestHandler = (error, _req, _res, _next) => {
      errors.push(error);
      arrived.emit('error handled');
    };
    app.use(keep);

    const url = new URL(await listen(app));
    const socket = connect(Number(url.port), url.hostname);
    const atServer = once(arrived, 'request');
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await atServer;
    const reported = once(arrived, 'error handled');
    socket.destroy();
    await reported;
    expect(errors).toEqual([expect.objectContaining({ status: 499, code: 'client_closed_request' })]);
    expect(handled).toEqual([]);
  });

  it('leaves an expired deadline to its own 504', async () => {
    const errors: unknown[] = [];
    let release: (() => void) | undefined;
    const slow: RequestHandler = (_req, _res, next) => {
      release = next;
    };
    const app = express();
    app.use(quiet, deadline(30), inParallel(pass, slow));
    app.use((_req, res) => void res.json({ late: true }));
    const keep: ErrorRequestHandler = (error, _req, _res, next) => {
      errors.push(error);
      next(error);
    };
    app.use(keep, errorHandler());

    const response = await fetch(await listen(app));
    expect(response.status).toBe(504);
    expect(await typeOf(response)).toBe('deadline_exceeded');
    release?.();
    expect(errors).toHaveLength(1);
  });
});
