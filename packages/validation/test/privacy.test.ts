import { type } from 'arktype';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { validate } from '../src/index.js';
import { ask } from './support.js';

const SECRET = 'hunter2-secret';

const schemas = {
  zod: z.object({
    email: z.email(),
    kind: z.enum(['a', 'b']),
    size: z.string().max(3),
    choice: z.union([z.literal('x'), z.number()]),
    own: z
      .string()
      .refine(() => false, { error: ({ input }) => `not "${String(input)}", not ${String(input)}` }),
  }),
  valibot: v.object({
    email: v.pipe(v.string(), v.email()),
    kind: v.picklist(['a', 'b']),
    size: v.pipe(v.string(), v.maxLength(3), v.regex(/^\d+$/)),
    choice: v.union([v.literal('x'), v.number()]),
    own: v.pipe(
      v.string(),
      v.check(
        () => false,
        ({ input }) => `not '${input}', not ${input}`,
      ),
    ),
  }),
  arktype: type({
    email: 'string.email',
    kind: "'a' | 'b'",
    size: 'string <= 3',
    choice: type("'x' | number").or({ a: 'string' }),
    own: type('string').narrow((value, ctx) => ctx.reject({ expected: `something other than ${value}` })),
  }),
};

describe.each(Object.entries(schemas))('what is refused by %s', (_name, schema) => {
  it('is never shown', async () => {
    const fields = ['email', 'kind', 'size', 'choice', 'own'];
    for (const value of [
      SECRET,
      `${SECRET} (was "${SECRET}") but received ${SECRET}`,
      `${SECRET}\n"quoted"`,
    ]) {
      const body = Object.fromEntries(fields.map((field) => [field, value]));
      const answer = await ask([validate({ body: schema })], '/', body);
      expect(answer.status).toBe(422);
      expect(new Set(answer.details.map(({ pointer }) => pointer.slice(1)))).toEqual(new Set(fields));
      expect(JSON.stringify([answer.details, answer.message])).not.toContain('hunter2');
      for (const { message } of answer.details) expect(message.length).toBeGreaterThan(2);
    }
  });

  it('is never shown where it is a number', async () => {
    const body = { email: 4_111_111_111_111_111, kind: 4_111_111_111_111_111, size: 4_111_111_111_111_111 };
    const answer = await ask([validate({ body: schema })], '/', body);
    expect(JSON.stringify(answer)).not.toContain('41111111');
  });
});

describe('what is shown instead', () => {
  it('is what the schema wants', async () => {
    const messages = async (schema: Parameters<typeof validate>[0]['body']): Promise<string[]> =>
      (await ask([validate({ body: schema })], '/', { email: SECRET, size: SECRET })).details.map(
        ({ message }) => message,
      );
    expect(await messages(v.pick(schemas.valibot, ['email', 'size']))).toEqual([
      'Invalid email',
      'Invalid length: Expected <=3',
      'Invalid format: Expected /^\\d+$/',
    ]);
    expect(await messages(schemas.arktype.pick('email', 'size'))).toEqual([
      'must be an email address',
      'must be at most length 3',
    ]);
    expect(await messages(schemas.zod.pick({ email: true, size: true }))).toEqual([
      'Invalid email address',
      'Too big: expected string to have <=3 characters',
    ]);
  });

  it('keeps its words where a short value is one of them', async () => {
    const answer = await ask([validate({ body: z.object({ age: z.number() }) })], '/', { age: 'string' });
    expect(answer.details[0]?.message).toBe('Invalid input: expected number, received string');
  });
});
