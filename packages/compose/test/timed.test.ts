import express, { type RequestHandler } from 'express';
import * as fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { span, timed, timeSpan, type TimedOptions } from '@signalbox/compose';
import { listen } from '@signalbox/testing';
import { formatSpan } from '../src/server-timing.js';

async function ask(handler: RequestHandler, options?: TimedOptions): Promise<Response> {
  const app = express();
  app.get('/', timed(options), handler);
  return fetch(await listen(app));
}

async function bodyOf(value: unknown): Promise<unknown> {
  return (await ask((_req, res) => void res.json(value))).json();
}

const META = { duration: expect.any(Number), timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) };

describe('timed', () => {
  it('puts duration in seconds and a timestamp into the JSON object', async () => {
    const response = await ask(async (_req, res) => {
      // Something to measure.
      await new Promise((resolve) => setTimeout(resolve, 20));
      res.json({ results: [1] });
    });
    const body = (await response.json()) as { _meta: { duration: number } };
    expect(body).toEqual({ results: [1], _meta: META });
    expect(body._meta.duration).toBeGreaterThan(0.015);
    expect(body._meta.duration).toBeLessThan(10);
  });

  it('does so for res.send of an object, and of what becomes one', async () => {
    expect(await (await ask((_req, res) => void res.send({ a: 1 }))).json()).toEqual({ a: 1, _meta: META });
    expect(await bodyOf({ secret: 1, toJSON: () => ({ shown: 1 }) })).toEqual({ shown: 1, _meta: META });
  });

  it.each([[[1, 2]], ['text'], [5], [true], [null], [new Date(0)]])('sends %j as it is', async (value) => {
    expect(await bodyOf(value)).toEqual(JSON.parse(JSON.stringify(value)));
  });

  it("keeps what the body's own _meta says, and does not write to the body", async () => {
    const body = Object.freeze({ a: 1, _meta: Object.freeze({ duration: 7, source: 'cache' }) });
    expect(await bodyOf(body)).toEqual({ a: 1, _meta: { ...META, duration: 7, source: 'cache' } });
    expect(await bodyOf({ _meta: 'odd' })).toEqual({ _meta: META });
  });

  it('sends the spans and the total as Server-Timing', async () => {
    const response = await ask(async (req, res) => {
      const end = span(res, 'template');
      expect(timeSpan(req, 'auth', () => 7)).toBe(7);
      expect(await timeSpan(req, 'db', async () => 'rows')).toBe('rows');
      end();
      end();
      span(req, 'unfinished');
      res.json({});
    });
    expect(response.headers.get('server-timing')).toMatch(
      /^auth;dur=[\d.]+, db;dur=[\d.]+, template;dur=[\d.]+, total;dur=[\d.]+$/,
    );
  });

  it('measures what fails, and passes the failure on', async () => {
    const response = await ask(async (req, res) => {
      expect(() =>
        timeSpan(req, 'sync', () => {
          throw new Error('x');
        }),
      ).toThrow('x');
      await expect(timeSpan(req, 'async', () => Promise.reject(new Error('y')))).rejects.toThrow('y');
      res.json({});
    });
    expect(response.headers.get('server-timing')).toMatch(/^sync;dur=[\d.]+, async;dur=[\d.]+, total/);
  });

  it('keeps a Server-Timing that is there, and times streams and errors', async () => {
    const response = await ask((_req, res) => {
      res.set('Server-Timing', 'cdn;dur=1');
      res.write('a');
      res.end('b');
    });
    expect(response.headers.get('server-timing')).toMatch(/^cdn;dur=1, total;dur=/);
    expect(await response.text()).toBe('ab');

    const failed = await ask((_req, _res, next) => next(Object.assign(new Error(), { status: 404 })));
    expect(failed.status).toBe(404);
    expect(failed.headers.get('server-timing')).toMatch(/^total;dur=/);
  });

  it('counts once when it is mounted twice', async () => {
    const app = express();
    app.use(timed());
    app.get('/', timed(), (_req, res) => void res.json({ a: 1 }));
    const response = await fetch(await listen(app));
    expect(response.headers.get('server-timing')).toMatch(/^total;dur=[\d.]+$/);
    expect(await response.json()).toEqual({ a: 1, _meta: META });
  });

  it('can do without the one or the other, or tell only some', async () => {
    const handler: RequestHandler = (_req, res) => void res.json({ a: 1 });
    const plain = await ask(handler, { meta: false });
    expect(await plain.json()).toEqual({ a: 1 });
    expect(plain.headers.has('server-timing')).toBe(true);
    expect((await ask(handler, { header: false })).headers.has('server-timing')).toBe(false);
    expect(
      (await ask(handler, { header: (req) => req.get('x-admin') === '1' })).headers.has('server-timing'),
    ).toBe(false);
  });

  it('bounds the number of spans', async () => {
    const response = await ask((req, res) => {
      for (let index = 0; index < 500; index++) span(req, `s${index}`)();
      res.json({});
    });
    expect(response.headers.get('server-timing')?.split(', ')).toHaveLength(33);
  });

  it.each<[string, (req: express.Request) => boolean]>([
    ['throws', () => JSON.parse('') as boolean],
    // @ts-expect-error: a promise would always be true
    ['answers too late', async () => true],
  ])('sends no Server-Timing where the function %s, and answers all the same', async (_what, header) => {
    const warnings: string[] = [];
    const note = ({ message }: Error): void => void warnings.push(message);
    process.on('warning', note);
    onTestFinished(() => void process.off('warning', note));

    const app = express();
    app.get('/', timed({ header }), (_req, res) => void res.json({ a: 1 }));
    const url = await listen(app);
    for (let asked = 0; asked < 3; asked++) {
      const response = await fetch(url);
      expect(response.headers.has('server-timing')).toBe(false);
      expect(await response.json()).toEqual({ a: 1, _meta: META });
    }
    expect(warnings).toEqual([
      expect.stringMatching(/^timed: "header" failed, so that no Server-Timing is sent: /),
    ]);
  });

  it('measures nothing where it is not mounted', async () => {
    const app = express();
    app.get('/', (req, res) => void res.json({ value: timeSpan(req, 'x', () => 1) }));
    const response = await fetch(await listen(app));
    expect(response.headers.has('server-timing')).toBe(false);
    expect(await response.json()).toEqual({ value: 1 });
  });

  it('refuses bad options', () => {
    // @ts-expect-error: wrong type
    expect(() => timed({ meta: 'yes' })).toThrow('timed: "meta" must be true or false, got "yes"');
    // @ts-expect-error: wrong type
    expect(() => timed({ header: 1 })).toThrow('timed: "header" must be true, false or a function, got 1');
    // @ts-expect-error: no such option
    expect(() => timed({ headers: true })).toThrow(
      'timed: "headers" is not an option; did you mean "header"?',
    );
  });
});

describe('the name of a span', () => {
  it('is kept as a token where it is one, and quoted otherwise', () => {
    expect(formatSpan('db', 1.23456)).toBe('db;dur=1.235');
    expect(formatSpan('SELECT "x"', 0)).toBe('SELECT_x_;desc="SELECT \\"x\\"";dur=0');
    expect(formatSpan('', 1)).toBe('_;desc="";dur=1');
  });

  it('never breaks the header, whatever it is', async () => {
    let name = '';
    const app = express();
    app.get('/', timed(), (req, res) => {
      span(req, name)();
      res.json({});
    });
    const url = await listen(app);
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async (text) => {
        name = text;
        const header = (await fetch(url)).headers.get('server-timing') ?? '';
        expect(header).toMatch(
          /^[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:;desc="(?:[^"\\]|\\["\\])*")?;dur=[\d.]+, total;dur=[\d.]+$/,
        );
      }),
      { numRuns: 25 },
    );
  });
});
