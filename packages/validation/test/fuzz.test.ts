import { listen } from '@signalbox/testing';
import { type } from 'arktype';
import {
  array,
  assert,
  asyncProperty,
  constantFrom,
  jsonValue,
  oneof,
  record,
  string,
  stringMatching,
  uint8Array,
  webQueryParameters,
} from 'fast-check';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { validate, type Schemas, type ValidateOptions } from '../src/index.js';
import { appWith, showValid } from './support.js';

const Tree = z.object({
  name: z.string().max(5),
  get children() {
    return z.array(Tree).optional();
  },
});

const bodies: Record<string, NonNullable<Schemas['body']>> = {
  zod: z.object({
    a: z.union([z.string(), z.array(z.number())]),
    b: z.record(z.string(), z.boolean()).optional(),
  }),
  tree: Tree,
  valibot: v.object({ a: v.string(), b: v.optional(v.record(v.string(), v.boolean())) }),
  arktype: type({ a: 'string | number[]', 'b?': 'Record<string, boolean>' }),
};

const query = z.object({ q: z.string().max(3), page: z.coerce.number().int().optional() });

/** As many as a busy machine gets through. */
const RUNS = { numRuns: 300, interruptAfterTimeLimit: 4_000 };

async function start(): Promise<string> {
  return listen(
    appWith((app) => {
      for (const parser of ['simple', 'extended'] as const) {
        for (const unknownFields of ['schema', 'strip', 'reject'] as const) {
          const options: ValidateOptions = { unknownFields };
          for (const [name, body] of Object.entries(bodies)) {
            app.post(`/${parser}/${unknownFields}/${name}`, validate({ body }, options), showValid);
          }
          app.get(`/${parser}/${unknownFields}`, validate({ query }, options), showValid);
        }
      }
    }),
  );
}

/** Names that objects have by themselves, or that a schema knows. */
const name = constantFrom(
  'a',
  'b',
  'name',
  'children',
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  '$ref',
  '',
);

const nearMiss = record(
  { a: jsonValue(), b: jsonValue(), name: oneof(string(), jsonValue()), children: array(jsonValue()) },
  { requiredKeys: [] },
);

const hostile = array(name, { minLength: 1, maxLength: 6 }).map((names) =>
  names.reduceRight<string>((inner, key) => `{${JSON.stringify(key)}:${inner}}`, '[null]'),
);

describe('whatever is sent', () => {
  it('as a JSON body is answered with 200 or refused with 4xx', async () => {
    const url = await start();
    const paths = Object.keys(bodies).flatMap((body) =>
      ['schema', 'strip', 'reject'].map((unknownFields) => `/simple/${unknownFields}/${body}`),
    );
    const body = oneof(
      jsonValue({ maxDepth: 6 }).map((value) => JSON.stringify(value)),
      nearMiss.map((value) => JSON.stringify(value)),
      hostile,
      string(),
    );
    await assert(
      asyncProperty(constantFrom(...paths), body, async (path, text) => {
        const headers = { 'content-type': 'application/json' };
        const response = await fetch(url + path, { method: 'POST', headers, body: text });
        expect([200, 400, 422]).toContain(response.status);
        await response.arrayBuffer();
      }),
      RUNS,
    );
  });

  it('as a query string is answered with 200 or refused with 400', async () => {
    const url = await start();
    const bytes = uint8Array({ maxLength: 20 }).map((octets) =>
      [...octets].map((octet) => `%${octet.toString(16).padStart(2, '0')}`).join(''),
    );
    const pairs = stringMatching(/^(q|page|__proto__|q\[\]|q\[a\]|constructor\[prototype\])=[\w%+]{0,4}$/);
    const text = oneof(
      webQueryParameters(),
      bytes,
      array(pairs, { maxLength: 4 }).map((all) => all.join('&')),
    );
    await assert(
      asyncProperty(
        constantFrom('simple', 'extended'),
        constantFrom('schema', 'strip', 'reject'),
        text,
        async (parser, unknownFields, search) => {
          const response = await fetch(`${url}/${parser}/${unknownFields}?${search}`);
          expect([200, 400]).toContain(response.status);
          await response.arrayBuffer();
        },
      ),
      RUNS,
    );
  });
});
