import { listen } from '@signalbox/testing';
import { type } from 'arktype';
import express from 'express';
import * as v from 'valibot';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { validate } from '../src/index.js';
import { appWith, ask } from './support.js';

const vendors = {
  zod: z.object({ name: z.string().min(2), age: z.number().int().optional() }),
  valibot: v.object({
    name: v.pipe(v.string(), v.minLength(2)),
    age: v.optional(v.pipe(v.number(), v.integer())),
  }),
  arktype: type({ name: 'string >= 2', 'age?': 'number.integer' }),
};

describe.each(Object.entries(vendors))('validate with %s', (_name, schema) => {
  it('keeps a valid body in req.valid.body', async () => {
    expect(await ask([validate({ body: schema })], '/', { name: 'Ada', age: 36 })).toMatchObject({
      status: 200,
      body: { body: { name: 'Ada', age: 36 } },
    });
  });

  it('refuses a body with 422 validation_failed and a pointer for each field', async () => {
    const answer = await ask([validate({ body: schema })], '/', { name: 'A', age: 'old' });
    expect(answer).toMatchObject({ status: 422, code: 'validation_failed' });
    expect(answer.details.map(({ in: part, pointer }) => [part, pointer])).toEqual([
      ['body', '/name'],
      ['body', '/age'],
    ]);
    for (const { message } of answer.details) expect(message).not.toBe('');
  });

  it('refuses a body that is missing or no object, with the empty pointer', async () => {
    const middleware = validate({ body: schema });
    for (const body of [undefined, null, 7, 'text']) {
      const answer = await ask([middleware], '/', body === undefined ? undefined : JSON.stringify(body));
      expect(answer).toMatchObject({ status: 422, details: [{ in: 'body', pointer: '' }] });
    }
  });
});

describe('validate', () => {
  const id = z.object({ id: z.coerce.number().int() });
  const page = z.object({
    page: z.coerce.number().int().min(1).default(1),
    tag: z.array(z.string()).optional(),
  });

  it('keeps what schemas make of params, query and headers, and leaves the request as it is', async () => {
    const seen: unknown[] = [];
    const headers = z.object({ 'x-client': z.string().transform((name) => name.toUpperCase()) });
    const url = await listen(
      appWith((app) => {
        app.get('/items/:id', validate({ params: id, query: page, headers }), (req, res) => {
          seen.push(req.valid, { ...req.params }, { ...req.query }, req.headers['x-client'], req.body);
          res.json({});
        });
      }),
    );
    await ask(url, '/items/7?page=2&tag=a&tag=b', undefined, { 'x-client': 'app' });
    expect(seen).toEqual([
      { params: { id: 7 }, query: { page: 2, tag: ['a', 'b'] }, headers: { 'x-client': 'APP' } },
      { id: '7' },
      { page: '2', tag: ['a', 'b'] },
      'app',
      undefined,
    ]);
  });

  it.each([
    ['params', 400, 'invalid_params', '/items/x?page=1', '/id'],
    ['query', 400, 'invalid_query', '/items/7?page=0', '/page'],
    ['query', 400, 'invalid_query', '/items/7?page=1&page=2', '/page'],
    ['query', 400, 'invalid_query', '/items/7?tag=a', '/tag'],
  ])('refuses %s with %s %s', async (part, status, code, path, pointer) => {
    const answer = await ask([validate({ params: id, query: page })], path);
    expect(answer).toMatchObject({ status, code, details: [{ in: part, pointer }] });
  });

  it('refuses headers with 400 invalid_headers', async () => {
    const answer = await ask([validate({ headers: z.object({ 'x-tenant': z.string() }) })], '/');
    expect(answer).toMatchObject({
      status: 400,
      code: 'invalid_headers',
      details: [{ in: 'headers', pointer: '/x-tenant' }],
    });
  });

  it('names the problems of all parts in one answer, with the status of the first', async () => {
    const answer = await ask(
      [validate({ body: vendors.zod, query: page, params: id })],
      '/items/x?page=0',
      {},
    );
    expect(answer).toMatchObject({ status: 400, code: 'invalid_params' });
    expect(answer.details.map((detail) => detail.in)).toEqual(['params', 'query', 'body']);
  });

  it('says what is wrong first in the message', async () => {
    const answer = await ask([validate({ query: page })], '/?page=x');
    expect(answer.message).toBe(
      'The query is not valid: /page: Invalid input: expected number, received NaN',
    );
  });

  it('takes another code by option', async () => {
    const answer = await ask([validate({ body: vendors.zod }, { code: 'weak_password' })], '/', {});
    expect(answer).toMatchObject({ status: 422, code: 'weak_password' });
  });

  it('escapes pointers as RFC 6901 says', async () => {
    const schema = z.object({ 'a/b': z.object({ 'c~d': z.array(z.string()) }) });
    const answer = await ask([validate({ body: schema })], '/', { 'a/b': { 'c~d': ['x', 1] } });
    expect(answer.details[0]?.pointer).toBe('/a~1b/c~0d/1');
  });

  it('lists a bounded number of problems, and bounds each of them', async () => {
    const schema = z.record(z.string(), z.string({ error: 'x'.repeat(1_000) }));
    const body = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`${'k'.repeat(1_000)}${i}`, i]));
    const byDefault = await ask([validate({ body: schema })], '/', body);
    expect(byDefault.details).toHaveLength(20);
    expect(byDefault.details[0]?.pointer.length).toBeLessThanOrEqual(257);
    expect(byDefault.details[0]?.message.length).toBeLessThanOrEqual(300);

    const two = await ask([validate({ body: schema }, { maxDetails: 2 })], '/', body);
    expect(two.details).toHaveLength(2);
  });

  it('calls the handler that it is given, whose failures are errors like any other', async () => {
    const url = await listen(
      appWith((app) => {
        app.get(
          '/page',
          validate({ query: page }, (req, res) => void res.json({ valid: req.valid.query.page })),
        );
        app.get(
          '/throws',
          validate({ query: page }, { code: 'x' }, () => {
            throw Object.assign(new Error('no'), { status: 418 });
          }),
        );
        app.get(
          '/rejects',
          validate({ query: page }, async () => Promise.reject(Object.assign(new Error(), { status: 409 }))),
        );
        app.get(
          '/next',
          validate({ query: page }, (_req, _res, next) => next()),
          (_req, res) => {
            res.json({ valid: 'next' });
          },
        );
      }),
    );
    expect(await ask(url, '/page?page=3')).toMatchObject({ status: 200, body: 3 });
    expect((await ask(url, '/page?page=x')).status).toBe(400);
    expect((await ask(url, '/throws')).status).toBe(418);
    expect(await ask(url, '/throws?page=x')).toMatchObject({ status: 400, code: 'x' });
    expect((await ask(url, '/rejects')).status).toBe(409);
    expect((await ask(url, '/next')).body).toBe('next');
  });

  it('adds to what an outer validate() has kept, which read() gives with its types', async () => {
    const outer = validate({ params: id });
    const inner = validate({ query: page });
    const url = await listen(
      appWith((app) => {
        app.get('/items/:id', outer, inner, (req, res) => {
          res.json({ valid: [outer.read(req).params.id + 1, inner.read(req).query.page + 1, req.valid] });
        });
        app.get('/unvalidated', (req, res) => void res.json({ valid: inner.read(req) }));
        app.get('/partly/:id', outer, (req, res) => void res.json({ valid: inner.read(req) }));
      }),
    );
    expect((await ask(url, '/items/7?page=3')).body).toEqual([
      8,
      4,
      { params: { id: 7 }, query: { page: 3 } },
    ]);
    expect(await ask(url, '/unvalidated')).toMatchObject({
      status: 500,
      message: 'validate: read() was called for a request that was not validated',
    });
    expect((await ask(url, '/partly/7')).status).toBe(500);
  });

  it('waits for asynchronous schemas', async () => {
    const isFree = z.object({ name: z.string().refine(async (name) => Promise.resolve(name !== 'taken')) });
    const answers = await Promise.all(
      ['free', 'taken'].map((name) => ask([validate({ body: isFree, query: page })], '/', { name })),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 422]);
  });

  it.each([
    ['arktype', type({ q: 'string' })],
    ['valibot', v.object({ q: v.string() })],
    ['zod', z.object({ q: z.string().refine((q) => q !== '') })],
  ])('goes on in the same turn after a synchronous schema of %s', async (_name, query) => {
    const handled: string[] = [];
    const url = await listen(
      appWith((app) => {
        app.use((_req, _res, next) => {
          handled.push('begun');
          queueMicrotask(() => handled.push('next turn'));
          next();
        });
        app.get('/', validate({ query }), (_req, res) => {
          handled.push('handled');
          res.json({});
        });
      }),
    );
    await ask(url, '/?q=a');
    expect(handled).toEqual(['begun', 'handled', 'next turn']);
  });

  it('runs an asynchronous refinement of zod once a request, after the first', async () => {
    let runs = 0;
    const slow = z.object({ name: z.string().refine(async () => Promise.resolve((runs += 1) > 0)) });
    const middleware = validate({ body: slow });
    expect((await ask([middleware], '/', { name: 'x' })).status).toBe(200);
    const first = runs;
    for (let i = 1; i <= 3; i++) {
      expect((await ask([middleware], '/', { name: 'x' })).status).toBe(200);
      expect(runs).toBe(first + i);
    }
  });

  it('finds out late that a schema of zod is asynchronous in a part that was never reached', async () => {
    const slow = z.string().refine(async (name) => Promise.resolve(name !== 'taken'));
    const middleware = validate({ body: z.object({ name: slow.optional() }) });
    const statuses: number[] = [];
    for (const body of [{}, { name: 'free' }, { name: 'taken' }, {}]) {
      statuses.push((await ask([middleware], '/', body)).status);
    }
    expect(statuses).toEqual([200, 200, 422, 200]);
  });

  it('hears an asynchronous refinement of zod fail in a part that was never reached', async () => {
    const unheard: unknown[] = [];
    const hear = (reason: unknown): void => void unheard.push(reason);
    process.on('unhandledRejection', hear);
    onTestFinished(() => void process.off('unhandledRejection', hear));
    const slow = z.string().refine(async () => Promise.reject(new Error('the database is gone')));
    const middleware = validate({ body: z.object({ name: slow.optional() }) });

    expect((await ask([middleware], '/', {})).status).toBe(200);
    for (let i = 0; i < 2; i++) {
      const answer = await ask([middleware], '/', { name: 'free' });
      expect(answer).toMatchObject({ status: 500, message: 'the database is gone' });
    }
    await new Promise((resolve) => setImmediate(resolve));
    expect(unheard).toEqual([]);
  });

  it('passes on what a schema throws, at once or later, as the error itself', async () => {
    const failing = (fail: () => never | Promise<never>): z.ZodType => z.any().refine(() => fail());
    const fail = (): never => {
      throw new Error('the database is gone');
    };
    const cases = [
      validate({ query: failing(fail) }),
      validate({ query: failing(async () => fail()) }),
      // One rejects while the other throws: neither may end the process.
      validate({ params: failing(async () => fail()), query: v.custom(fail) }),
    ];
    for (const middleware of cases) {
      expect(await ask([middleware], '/')).toMatchObject({
        status: 500,
        message: 'the database is gone',
        details: [],
      });
    }
  });

  it('judges duplicate parameters as Express gives them, also by the extended parser', async () => {
    const either = z.object({ q: z.union([z.string(), z.array(z.string())]) });
    expect((await ask([validate({ query: either })], '/?q=a&q=b')).body).toEqual({
      query: { q: ['a', 'b'] },
    });
    expect((await ask([validate({ query: z.object({ q: z.string() }) })], '/?q=a&q=b')).status).toBe(400);

    const nested = z.object({ filter: z.object({ price: z.object({ gt: z.coerce.number() }) }) });
    const url = await listen(
      appWith((app) => {
        app.set('query parser', 'extended');
        app.get('/', validate({ query: nested }), (req, res) => void res.json({ valid: req.valid }));
      }),
    );
    expect((await ask(url, '/?filter[price][gt]=5')).body).toEqual({
      query: { filter: { price: { gt: 5 } } },
    });
    expect((await ask(url, '/?filter[price][gt]=x')).details[0]?.pointer).toBe('/filter/price/gt');
  });

  it('takes bodies that are no plain objects, such as bytes, as their parser left them', async () => {
    const app = express().use(express.raw({ type: '*/*', limit: '2mb' }));
    app.post(
      '/',
      validate({ body: z.instanceof(Buffer) }, (req, res) => void res.json(req.valid.body.length)),
    );
    const url = await listen(app);
    const headers = { 'content-type': 'application/octet-stream' };
    const response = await fetch(url, { method: 'POST', headers, body: new Uint8Array(1_000_000) });
    expect([response.status, await response.json()]).toEqual([200, 1_000_000]);
  });
});
