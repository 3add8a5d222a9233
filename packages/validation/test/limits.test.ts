import { listen } from '@signalbox/testing';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { validate } from '../src/index.js';
import { appWith, ask } from './support.js';

const anything = validate({ body: z.any() });

function nested(levels: number, innermost: unknown): unknown {
  let value = innermost;
  for (let i = 0; i < levels; i++) value = i % 2 === 0 ? [value] : { a: value };
  return value;
}

describe('limits', () => {
  it('takes 32 levels and refuses the 33rd, naming where', async () => {
    expect((await ask([anything], '/', nested(32, 1))).status).toBe(200);
    const refused = await ask([anything], '/', nested(33, 1));
    expect(refused).toMatchObject({ status: 422, code: 'validation_failed' });
    expect(refused.details).toEqual([
      { in: 'body', pointer: '/0/a'.repeat(16), message: 'Deeper than 32 levels' },
    ]);
  });

  it('copes with nesting that would overflow the stack of a schema', async () => {
    const text = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    const tree: z.ZodType = z.lazy(() => z.array(tree));
    expect((await ask([validate({ body: tree })], '/', text)).status).toBe(422);
  });

  it('takes 10 000 fields and items, on all levels together, and no more', async () => {
    const items = Array.from({ length: 4_999 }, () => 1);
    expect((await ask([anything], '/', { a: items, b: items })).status).toBe(200);
    const refused = await ask([anything], '/', { a: items, b: [...items, 1] });
    expect(refused.details).toEqual([
      { in: 'body', pointer: '/b', message: 'More than 10000 fields and items' },
    ]);
  });

  it('has other limits by option', async () => {
    const strict = validate({ body: z.any() }, { maxDepth: 1, maxKeys: 2 });
    expect((await ask([strict], '/', { a: 1, b: 2 })).status).toBe(200);
    expect((await ask([strict], '/', { a: [1] })).details[0]?.message).toBe('Deeper than 1 levels');
    expect((await ask([strict], '/', [1, 2, 3])).details[0]?.message).toBe('More than 2 fields and items');
  });

  it.each([
    ['{"__proto__":{"admin":true}}', '/__proto__'],
    ['{"a":[{"__proto__":1}]}', '/a/0/__proto__'],
    ['{"a":{"constructor":{"prototype":{"admin":true}}}}', '/a/constructor'],
  ])('refuses the prototype pollution of %s', async (body, pointer) => {
    const answer = await ask([anything], '/', body);
    expect(answer.status).toBe(422);
    expect(answer.details).toEqual([{ in: 'body', pointer, message: 'Not allowed as a name' }]);
    expect(Object.hasOwn(Object.prototype, 'admin')).toBe(false);
  });

  it('takes fields that only have such a name', async () => {
    const body = { constructor: 'Ferrari', prototype: 'XJ13', team: { constructor: { name: 'Ferrari' } } };
    expect((await ask([anything], '/', body)).status).toBe(200);
  });

  it('hold for the query too', async () => {
    const query = validate({ query: z.any() }, { maxKeys: 3 });
    expect((await ask([query], '/?a=1&b=2&c=3')).status).toBe(200);
    expect(await ask([query], '/?a=1&b=2&c=3&d=4')).toMatchObject({ status: 400, code: 'invalid_query' });
    expect((await ask([query], '/?__proto__=1')).details[0]?.pointer).toBe('/__proto__');
  });

  it('are judged in linear time, before the schema', async () => {
    let judged = 0;
    const counting = validate({ body: z.any().refine(() => (judged += 1) > 0) });
    const url = await listen(
      appWith((app) => void app.post('/', counting, (_req, res) => void res.json({}))),
    );
    const body = `[${Array.from({ length: 400_000 }, () => '{}').join()}]`;
    expect((await ask(url, '/', body)).status).toBe(422);
    expect(judged).toBe(0);
  });
});
