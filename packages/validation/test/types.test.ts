import { type } from 'arktype';
import express, { type Request, type RequestHandler } from 'express';
import * as v from 'valibot';
import { describe, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import { validate, type Valid, type ValidRequest } from '../src/index.js';

const schemas = {
  query: z.object({ q: z.string(), page: z.coerce.number().default(1) }),
  params: v.object({ id: v.pipe(v.string(), v.transform(Number)) }),
  body: type({ name: 'string', 'age?': 'number' }),
};

interface Expected {
  query: { q: string; page: number };
  params: { id: number };
  body: { name: string; age?: number };
}

describe('the types of validate', () => {
  it('are inferred inside the handler that it is given', () => {
    const handler = validate(schemas, (req, res) => {
      expectTypeOf(req.valid.query).toEqualTypeOf<Expected['query']>();
      expectTypeOf(req.valid.params).toEqualTypeOf<Expected['params']>();
      expectTypeOf(req.valid.body).toEqualTypeOf<Expected['body']>();
      expectTypeOf(req.valid).not.toHaveProperty('headers');
      expectTypeOf(req.get('x')).toEqualTypeOf<string | undefined>();
      res.json(req.valid);
    });
    expectTypeOf(handler).toEqualTypeOf<RequestHandler>();
  });

  it('are inferred with options between, and for asynchronous handlers', () => {
    validate({ query: schemas.query }, { code: 'invalid_search' }, async (req, res) => {
      expectTypeOf(req.valid).toEqualTypeOf<{ readonly query: Expected['query'] }>();
      await Promise.resolve();
      res.json({});
    });
  });

  it('come by read() from the middleware, where a route has params of its own', () => {
    const search = validate({ query: schemas.query });
    express().get('/users/:id', search, (req, res) => {
      expectTypeOf(req.params.id).toEqualTypeOf<string>();
      expectTypeOf(req.valid).toEqualTypeOf<unknown>();
      expectTypeOf(search.read(req)).toEqualTypeOf<{ readonly query: Expected['query'] }>();
      res.json({});
    });
  });

  it('can be named', () => {
    expectTypeOf<Valid<typeof schemas>['query']>().toEqualTypeOf<Expected['query']>();
    expectTypeOf<ValidRequest<typeof schemas>['valid']['body']>().toEqualTypeOf<Expected['body']>();
    expectTypeOf<ValidRequest<typeof schemas>>().toExtend<Request>();
  });

  it('refuse what is no schema and no option', () => {
    // Not called: it would throw, as the types say it must.
    const mistakes = (): void => {
      // @ts-expect-error a plain object is no schema
      validate({ body: { name: 'string' } });
      // @ts-expect-error the option is misspelt
      validate({ body: schemas.body }, { unknownField: 'reject' });
      validate({ body: schemas.body }, (req) => {
        // @ts-expect-error there is no schema for the query
        return req.valid.query;
      });
    };
    expectTypeOf(mistakes).toBeFunction();
  });
});
