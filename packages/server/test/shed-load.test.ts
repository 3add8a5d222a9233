import { setTimeout as wait } from 'node:timers/promises';
import { HttpError, ServiceUnavailableError } from '@signalbox/errors';
import { type RequestShed, signals } from '@signalbox/signals';
import express, { type ErrorRequestHandler, type Express, type RequestHandler, type Response } from 'express';
import fc from 'fast-check';
import { describe, expect, expectTypeOf, it, onTestFinished } from 'vitest';
import { type DefaultPriority, type ShedLoadOptions, shedLoad } from '../src/index.js';
import { eventually, rawConnection, runProgram, serveHere } from './support.js';

const LEVELS: Record<string, DefaultPriority> = {
  '/livez': 'health',
  '/login': 'auth',
  '/find': 'search',
  '/bulk': 'bulk',
};

/** Answers when the test says so, except where a request is turned away. */
function heldApp(shedding: RequestHandler): { app: Express; held: Response[] } {
  const app = express();
  const held: Response[] = [];
  app.use(shedding);
  app.use((_req, res) => void held.push(res));
  app.use(tellError);
  return { app, held };
}

const tellError: ErrorRequestHandler = (error, _req, res, _next) => {
  if (!(error instanceof HttpError)) return void res.status(500).send(String(error));
  res.status(error.status).set(error.headers).json({ type: error.code, kind: error.name });
};

describe('shedLoad', () => {
  it('answers 503 overloaded with Retry-After when as many requests are under way as it takes', async () => {
    const { app, held } = heldApp(shedLoad({ maxInFlight: 2 }));
    const { url } = await serveHere(app);
    const taken = [fetch(url), fetch(url)];
    await eventually(() => held.length === 2);

    const refused = await fetch(url);
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('5');
    expect(await refused.json()).toEqual({ type: 'overloaded', kind: ServiceUnavailableError.name });

    for (const res of held) res.send('done');
    expect((await Promise.all(taken)).map(({ status }) => status)).toEqual([200, 200]);
    await expectTaken(url, held);
  });

  it('takes 1 000 at once by default, and not one more', async () => {
    const { app, held } = heldApp(shedLoad());
    let shed = 0;
    onTestFinished(signals.requestShed.subscribe(() => (shed += 1)));
    const { url } = await serveHere(app);
    for (let n = 0; n < 10; n++) {
      const connection = await rawConnection(url);
      connection.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(110));
    }
    await eventually(() => held.length + shed === 1_100);
    expect({ held: held.length, shed }).toEqual({ held: 1_000, shed: 100 });
  });

  it('turns the less important away earlier, and health never', async () => {
    const { app, held } = heldApp(
      shedLoad({ maxInFlight: 10, priority: (req) => LEVELS[req.path], retryAfterSeconds: 30 }),
    );
    const shed: RequestShed[] = [];
    onTestFinished(signals.requestShed.subscribe((event) => shed.push(event)));
    const { url } = await serveHere(app);
    const before: Promise<unknown>[] = [];
    const fill = async (count: number): Promise<void> => {
      while (held.length < count) {
        before.push(fetch(`${url}/login`));
        await eventually(() => held.length === before.length);
      }
    };
    const statusOf = async (path: string): Promise<number> => (await fetch(url + path)).status;

    await fill(6);
    expect(await statusOf('/bulk')).toBe(503);
    await fill(9);
    expect(await statusOf('/find')).toBe(503);
    await fill(10);
    expect(await statusOf('/login')).toBe(503);
    expect(await statusOf('/other')).toBe(503);
    const probe = fetch(`${url}/livez`);
    await eventually(() => held.length === 11);

    for (const res of held) res.send('done');
    expect((await probe).status).toBe(200);
    await Promise.all(before);
    expect(shed).toEqual(
      ['bulk', 'search', 'auth', 'default'].map((priority) => ({
        priority,
        reason: 'in_flight',
        retryAfterSeconds: 30,
      })),
    );
  });

  it('takes priorities of the caller’s own, by name', async () => {
    const priorities = { probes: Number.POSITIVE_INFINITY, paid: 1, free: 0.5 };
    const shedding = shedLoad({
      maxInFlight: 2,
      priorities,
      priority: (req) => (req.path === '/free' ? 'free' : 'paid'),
    });
    const { app, held } = heldApp(shedding);
    const { url } = await serveHere(app);
    const first = fetch(`${url}/free`);
    await eventually(() => held.length === 1);
    expect((await fetch(`${url}/free`)).status).toBe(503);
    const second = fetch(`${url}/paid`);
    await eventually(() => held.length === 2);
    for (const res of held) res.send('done');
    await Promise.all([first, second]);

    // Misspelt names do not compile.
    expectTypeOf<ShedLoadOptions<'paid' | 'free'>['priority']>().returns.toEqualTypeOf<
      'paid' | 'free' | undefined
    >();
    expectTypeOf<ShedLoadOptions['priority']>().returns.toEqualTypeOf<DefaultPriority | undefined>();
    // @ts-expect-error -- "premium" is none of the priorities
    shedLoad({ priorities, priority: () => 'premium' });
    // @ts-expect-error -- "batch" is none of the default priorities
    shedLoad({ priority: () => 'batch' });
  });

  it('tells of a priority that does not exist', async () => {
    const { app } = heldApp(shedLoad({ priority: () => 'serach' as DefaultPriority }));
    const { url } = await serveHere(app);
    const response = await fetch(url);
    expect(response.status).toBe(500);
    expect(await response.text()).toBe(
      'TypeError: shedLoad: "priority" returned "serach", which is none of health, auth, search, bulk',
    );
  });

  it('forgets requests whose client hung up', async () => {
    const { app, held } = heldApp(shedLoad({ maxInFlight: 1 }));
    const { url } = await serveHere(app);
    const connection = await rawConnection(url);
    connection.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await eventually(() => held.length === 1);
    expect((await fetch(url)).status).toBe(503);

    connection.socket.destroy();
    await eventually(async () => {
      const asked = fetch(url);
      await Promise.race([asked, eventually(() => held.length === 2).catch(() => undefined)]);
      if (held.length < 2) return false;
      held[1]?.send('taken');
      return (await asked).status === 200;
    });
  });

  it('forgets requests sent ahead on a connection that breaks', async () => {
    const { app, held } = heldApp(shedLoad({ maxInFlight: 20 }));
    const { url } = await serveHere(app);
    const warned: Error[] = [];
    const onWarning = (warning: Error): number => warned.push(warning);
    process.on('warning', onWarning);
    onTestFinished(() => void process.off('warning', onWarning));
    const connection = await rawConnection(url);
    connection.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(20));
    await eventually(() => held.length === 20);
    expect((await fetch(url)).status).toBe(503);

    connection.socket.destroy();
    await eventually(() => held[0]?.destroyed);
    held.length = 0;
    await expectTaken(url, held, 20);
    expect(warned).toEqual([]);
  });

  it('does not count a request whose client is gone before it gets there', async () => {
    const app = express();
    const shedding = shedLoad({ maxInFlight: 1 });
    const arrived: Response[] = [];
    const passed: Response[] = [];
    app.use((req, res, next) => {
      if (req.path !== '/late') return next();
      arrived.push(res);
      res.on('close', () => setImmediate(next));
    });
    app.use(shedding);
    app.use((req, res) => {
      passed.push(res);
      if (req.path !== '/late') res.send('done');
    });
    const { url } = await serveHere(app);
    for (let n = 1; n <= 3; n++) {
      const connection = await rawConnection(url);
      connection.socket.write('GET /late HTTP/1.1\r\nHost: x\r\n\r\n');
      await eventually(() => arrived.length === n);
      connection.socket.destroy();
      await eventually(() => passed.length === n);
    }
    expect((await fetch(url)).status).toBe(200);
  });

  it('never takes more than the limit, nor loses a place, whatever comes and goes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.constantFrom('come', 'answer', 'hang up'), { maxLength: 12 }),
        async (maxInFlight, steps) => {
          const { app, held } = heldApp(shedLoad({ maxInFlight }));
          const running = await serveHere(app);
          const open: Awaited<ReturnType<typeof rawConnection>>[] = [];
          for (const step of steps) {
            if (step === 'come') {
              const connection = await rawConnection(running.url);
              connection.socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
              const before = held.length;
              await eventually(() => held.length > before || connection.received().includes(' 503 '));
              if (held.length > before) open.push(connection);
            } else if (step === 'answer') {
              open.shift();
              held.shift()?.send('done');
            } else {
              open.shift()?.socket.destroy();
              const gone = held.shift();
              await eventually(() => gone === undefined || gone.destroyed);
            }
            expect(held.length).toBeLessThanOrEqual(maxInFlight);
          }
          for (const res of held.splice(0)) res.send('done');
          await expectTaken(running.url, held, maxInFlight);
          await running.close({ withinMs: 100 });
        },
      ),
      { numRuns: 12 },
    );
  });

  it.each([
    ['event_loop_delay', { eventLoopDelayMs: 100 }],
    ['event_loop_utilization', { eventLoopUtilization: 0.6 }],
  ])(
    'turns requests away while the event loop is blocked, and takes them again: %s',
    async (_reason, limits) => {
      const { firstLine: url } = await runProgram('shedding.mjs', { LIMITS: JSON.stringify(limits) });
      const statusOf = async (path: string): Promise<number> => {
        const response = await fetch(url + path);
        await response.arrayBuffer();
        return response.status;
      };
      expect(await statusOf('/find')).toBe(200);

      // One long turn is no overload; one after the other is.
      const refused = await eventually(async () => {
        await Promise.all(Array.from({ length: 4 }, () => fetch(`${url}/block?ms=150`)));
        const response = await fetch(`${url}/find`);
        return response.status === 503 ? response : undefined;
      });
      expect(refused.headers.get('retry-after')).toBe('5');
      expect(await refused.json()).toEqual({ type: 'overloaded' });
      expect(await statusOf('/livez')).toBe(200);
      await eventually(async () => (await statusOf('/find')) === 200);
    },
  );

  it.each<[name: string, limits: ShedLoadOptions]>([
    ['resident memory', { memoryBytes: 1_000_000 }],
    ['the heap', { heapFraction: 0.000_001 }],
  ])('turns requests away when %s is over its limit', async (_name, limits) => {
    const shed: RequestShed[] = [];
    onTestFinished(signals.requestShed.subscribe((event) => shed.push(event)));
    const { app } = heldApp(shedLoad({ ...limits, sampleEveryMs: 5 }));
    const { url } = await serveHere(app);
    await wait(50);
    expect((await fetch(url)).status).toBe(503);
    expect(shed[0]).toMatchObject({ reason: 'memory', priority: 'default' });
  });

  it('takes requests while everything is below its limit', async () => {
    const { app, held } = heldApp(
      shedLoad({
        memoryBytes: 2 ** 45,
        heapFraction: 1,
        eventLoopDelayMs: 60_000,
        eventLoopUtilization: 1,
        sampleEveryMs: 1,
      }),
    );
    const { url } = await serveHere(app);
    await wait(50);
    await expectTaken(url, held);
  });

  it.each<[message: string, options: object]>([
    ['"maxInFlight" must be an integer of at least 1, got 0', { maxInFlight: 0 }],
    [
      '"maxInFlight" must be an integer of at least 1, got Infinity',
      { maxInFlight: Number.POSITIVE_INFINITY },
    ],
    ['"eventLoopDelayMs" must be an integer from 1 to 2147483647, got -1', { eventLoopDelayMs: -1 }],
    ['"eventLoopUtilization" must be a number above 0 and at most 1, got 95', { eventLoopUtilization: 95 }],
    ['"heapFraction" must be a number above 0 and at most 1, got 0', { heapFraction: 0 }],
    ['"memoryBytes" must be an integer of at least 1, got "1gb"', { memoryBytes: '1gb' }],
    ['"retryAfterSeconds" must be an integer of at least 1, got 0.5', { retryAfterSeconds: 0.5 }],
    ['"sampleEveryMs" must be an integer from 1 to 2147483647, got 0', { sampleEveryMs: 0 }],
    ['"priority" must be a function, got "auth"', { priority: 'auth' }],
    ['"priorities" needs "priority", which says what belongs to which', { priorities: { a: 1 } }],
    ['"priorities" must be an object, got 1', { priorities: 1, priority: () => 'a' }],
    [
      '"priorities.a" must be a number above 0 and at most 1, or Infinity, got 2',
      { priorities: { a: 2 }, priority: () => 'a' },
    ],
    ['"maxInflight" is not an option; did you mean "maxInFlight"?', { maxInflight: 5 }],
  ])('refuses bad options: %s', (message, options) => {
    expect(() => shedLoad(options)).toThrow(TypeError);
    expect(() => shedLoad(options)).toThrow(`shedLoad: ${message}`);
  });
});

/** Fails unless `count` requests at once are all taken. */
async function expectTaken(url: string, held: Response[], count = 1): Promise<void> {
  await eventually(async () => {
    held.length = 0;
    const asked = Array.from({ length: count }, () => fetch(url));
    const refused = Promise.race(asked.map((one) => one.then(({ status }) => status === 503)));
    const outcome = await Promise.race([refused, eventually(() => held.length === count).then(() => false)]);
    for (const res of held) res.send('done');
    await Promise.all(asked);
    return !outcome;
  });
}
