import { toStandardJsonSchema } from '@valibot/to-json-schema';
import { type } from 'arktype';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { validate } from '../src/index.js';
import { ask } from './support.js';

const vendors = {
  zod: z.object({ name: z.string(), tags: z.array(z.object({ id: z.number() })).optional() }),
  'valibot, which does not tell its fields': v.object({
    name: v.string(),
    tags: v.optional(v.array(v.object({ id: v.number() }))),
  }),
  'valibot with toStandardJsonSchema': toStandardJsonSchema(
    v.object({ name: v.string(), tags: v.optional(v.array(v.object({ id: v.number() }))) }),
  ),
  arktype: type({ name: 'string', 'tags?': type({ id: 'number' }).array() }),
};

const body = { name: 'Ada', role: 'admin', tags: [{ id: 1 }, { id: 2, 'x/y': 3 }] };

describe.each(Object.entries(vendors))('unknown fields and %s', (_name, schema) => {
  it('are refused by name where they are told to be', async () => {
    const middleware = validate({ body: schema }, { unknownFields: 'reject' });
    const answer = await ask([middleware], '/', body);
    expect(answer).toMatchObject({ status: 422, code: 'validation_failed' });
    expect(answer.details).toHaveLength(2);
    expect(answer.details).toEqual(
      expect.arrayContaining([
        { in: 'body', pointer: '/role', message: 'Unknown field' },
        { in: 'body', pointer: '/tags/1/x~1y', message: 'Unknown field' },
      ]),
    );
    expect((await ask([middleware], '/', { name: 'Ada', tags: [] })).status).toBe(200);
  });

  it('are taken out where they are told to be', async () => {
    const answer = await ask([validate({ body: schema }, { unknownFields: 'strip' })], '/', body);
    expect(answer.body).toEqual({ body: { name: 'Ada', tags: [{ id: 1 }, { id: 2 }] } });
  });
});

describe('unknown fields', () => {
  it('are left to the schema by default: zod and valibot take them out, arktype keeps them', async () => {
    const kept = async (schema: Parameters<typeof validate>[0]['body']): Promise<unknown> =>
      (await ask([validate({ body: schema })], '/', { name: 'Ada', role: 'admin' })).body;
    expect(await kept(vendors.zod)).toEqual({ body: { name: 'Ada' } });
    expect(await kept(v.object({ name: v.string() }))).toEqual({ body: { name: 'Ada' } });
    expect(await kept(vendors.arktype)).toEqual({ body: { name: 'Ada', role: 'admin' } });
  });

  it('are named one by one where the schema refuses them by itself', async () => {
    const strict = z.object({ user: z.strictObject({ name: z.string() }) });
    const answer = await ask([validate({ body: strict })], '/', { user: { name: 'Ada', a: 1, b: 2 } });
    expect(answer.details).toEqual([
      { in: 'body', pointer: '/user/a', message: 'Unknown field' },
      { in: 'body', pointer: '/user/b', message: 'Unknown field' },
    ]);
    const closed = type({ name: 'string', '+': 'reject' });
    expect((await ask([validate({ body: closed })], '/', { name: 'Ada', a: 1 })).details[0]?.pointer).toBe(
      '/a',
    );
    const strictValibot = v.strictObject({ name: v.string() });
    expect(
      (await ask([validate({ body: strictValibot })], '/', { name: 'Ada', a: 1 })).details[0]?.pointer,
    ).toBe('/a');
  });

  it('stand beside the other problems, within the bound', async () => {
    const middleware = validate({ body: vendors.zod }, { unknownFields: 'reject', maxDetails: 3 });
    const answer = await ask([middleware], '/', { name: 7, a: 1, b: 2, c: 3, d: 4 });
    expect(answer.details.map(({ pointer }) => pointer)).toEqual(['/a', '/b', '/c']);
    const fewer = await ask([middleware], '/', { name: 7, a: 1 });
    expect(fewer.details.map(({ pointer }) => pointer)).toEqual(['/a', '/name']);
  });

  it('are refused in the query, and never in headers and params', async () => {
    const schemas = { query: z.object({ q: z.string() }), headers: z.object({}), params: z.object({}) };
    const middleware = validate(schemas, { unknownFields: 'reject' });
    expect((await ask([middleware], '/items/7?q=a')).status).toBe(200);
    expect(await ask([middleware], '/items/7?q=a&debug=1')).toMatchObject({
      status: 400,
      code: 'invalid_query',
      details: [{ in: 'query', pointer: '/debug', message: 'Unknown field' }],
    });
  });

  const Category = z.object({
    name: z.string(),
    get children() {
      return z.array(Category);
    },
  });

  it.each<[string, z.ZodType, unknown, string[]]>([
    ['a loose object', z.looseObject({ a: z.string() }), { a: 'x', b: 1 }, []],
    ['a record', z.record(z.string(), z.object({ a: z.number() })), { any: { a: 1, b: 2 } }, ['/any/b']],
    ['any value', z.object({ a: z.any(), b: z.unknown() }), { a: { x: 1 }, b: { y: 1 } }, []],
    [
      'a union',
      z.union([z.object({ a: z.string() }), z.object({ b: z.string() })]),
      { a: 'x', c: 1 },
      ['/c'],
    ],
    [
      'a discriminated union',
      z.object({
        e: z.discriminatedUnion('t', [
          z.object({ t: z.literal('a'), x: z.number() }),
          z.object({ t: z.literal('b') }),
        ]),
      }),
      { e: { t: 'a', x: 1, z: 1 } },
      ['/e/z'],
    ],
    [
      'an intersection',
      z.intersection(z.object({ a: z.string() }), z.object({ b: z.string() })),
      { a: '', b: '', c: 1 },
      ['/c'],
    ],
    [
      'a tuple',
      z.tuple([z.object({ a: z.string() }), z.object({ b: z.string() })]),
      [{ a: '' }, { b: '', a: 1 }],
      ['/1/a'],
    ],
    [
      'a recursive object',
      Category,
      { name: 'a', children: [{ name: 'b', children: [], x: 1 }] },
      ['/children/0/x'],
    ],
    [
      'a nullable object',
      z.object({ a: z.object({ b: z.string() }).nullable() }),
      { a: { b: '', c: 1 } },
      ['/a/c'],
    ],
    [
      'dates, which JSON Schema cannot say',
      z.object({ at: z.coerce.date() }),
      { at: '2020-01-01', x: 1 },
      ['/x'],
    ],
    ['a transform', z.object({ a: z.string() }).transform(({ a }) => ({ b: a })), { a: '', c: 1 }, ['/c']],
  ])('of %s are those that no part of it names', async (_title, schema, value, pointers) => {
    const answer = await ask([validate({ body: schema }, { unknownFields: 'reject' })], '/', value);
    expect(answer.details.map(({ pointer }) => pointer)).toEqual(pointers);
    expect(answer.status).toBe(pointers.length === 0 ? 200 : 422);
  });

  it('are taken out of a copy, not of req.body', async () => {
    const seen: unknown[] = [];
    const middleware = validate({ body: vendors.arktype }, { unknownFields: 'strip' });
    const answer = await ask(
      [middleware, (req, _res, next) => (seen.push(req.body as unknown), next())],
      '/',
      body,
    );
    expect(answer.status).toBe(200);
    expect(seen).toEqual([body]);
  });
});
