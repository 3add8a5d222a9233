import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { describeRoute, openapi, openapiRoute, validate } from '../src/index.js';
import express from 'express';

/** What a program without types could pass: assignable to anything. */
function untyped(value: unknown): never {
  return value as never;
}

const body = z.object({});
const info = { title: 'Search', version: '1.0.0' };

describe('wrong arguments', () => {
  it.each<[() => unknown, string]>([
    [() => validate(untyped(undefined)), 'validate: "schemas" must be an object, got undefined'],
    [() => validate({}), 'validate: "schemas" must have one of params, query, headers and body'],
    [() => validate({ body: undefined }), '"schemas" must have one of'],
    [() => validate(untyped({ qeury: body })), 'validate: "qeury" is not an option; did you mean "query"?'],
    [
      () => validate(untyped({ body: {} })),
      '"body" must be a Standard Schema, such as one of zod, valibot or arktype, got an object',
    ],
    [
      () => validate(untyped({ body: null })),
      '"body" must be a Standard Schema, such as one of zod, valibot or arktype, got null',
    ],
    [
      () => validate(untyped({ query: { '~standard': { version: 2, validate: () => ({}) } } })),
      '"query" must be a Standard',
    ],
    [() => validate({ body }, untyped(null)), 'validate: "options" must be an object, got null'],
    [
      () => validate({ body }, {}, untyped('handler')),
      'validate: "handler" must be a function, got "handler"',
    ],
    [() => validate({ body }, { code: '' }), 'validate: "code" must be a non-empty string, got ""'],
    [
      () => validate({ body }, untyped({ unknown: 'reject' })),
      'validate: "unknown" is not an option; did you mean "unknownFields"?',
    ],
    [
      () => validate({ body }, untyped({ unknownFields: 'drop' })),
      'validate: "unknownFields" must be "schema" or "strip" or "reject", got "drop"',
    ],
    [
      () => validate({ body }, { maxDepth: 0 }),
      'validate: "maxDepth" must be an integer of at least 1, got 0',
    ],
    [
      () => validate({ body }, { maxKeys: 1.5 }),
      'validate: "maxKeys" must be an integer of at least 1, got 1.5',
    ],
    [
      () => validate({ body }, { maxDetails: -1 }),
      'validate: "maxDetails" must be an integer of at least 1, got -1',
    ],
    [
      () => validate({ body }, { describe: untyped({ sumary: 'x' }) }),
      'validate: "describe": "sumary" is not an option; did you mean "summary"?',
    ],
    [() => validate({ body }, { describe: untyped('x') }), 'validate: "describe" must be an object, got "x"'],
    [
      () => describeRoute(untyped({ tag: 'x' })),
      'describeRoute: "tag" is not an option; did you mean "tags"?',
    ],
    [() => openapi(express(), untyped(undefined)), 'openapi: "options" must be an object, got undefined'],
    [() => openapi(express(), untyped({})), 'openapi: "info" must be an object, got undefined'],
    [
      () => openapiRoute({ info: { ...info, title: '' } }),
      'openapiRoute: "info.title" must be a non-empty string',
    ],
    [
      () => openapiRoute({ info: untyped({ title: 'x' }) }),
      'openapiRoute: "info.version" must be a non-empty string',
    ],
    [
      () => openapiRoute(untyped({ info, server: [] })),
      'openapiRoute: "server" is not an option; did you mean "servers"?',
    ],
    [
      () => openapiRoute(untyped({ info, include: 'all' })),
      'openapiRoute: "include" must be a function, got "all"',
    ],
    [
      () => openapiRoute(untyped({ info, toJsonSchema: {} })),
      '"toJsonSchema" must be a function, got an object',
    ],
  ])('are refused at construction: %s', (make, message) => {
    expect(make).toThrow(TypeError);
    expect(make).toThrow(message);
  });
});
