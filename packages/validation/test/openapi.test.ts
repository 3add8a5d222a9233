import { Validator } from '@seriousme/openapi-schema-validator';
import { listen } from '@signalbox/testing';
import { toJsonSchema, toStandardJsonSchema } from '@valibot/to-json-schema';
import { type } from 'arktype';
import express, { Router, type Express, type RequestHandler } from 'express';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  describeRoute,
  openapi,
  openapiRoute,
  validate,
  type OpenApiDocument,
  type OpenApiOperation,
  type OpenApiOptions,
} from '../src/index.js';

const validator = new Validator();

const info = { title: 'Search', version: '1.4.0' };

const answer: RequestHandler = (_req, res) => {
  res.json({});
};

/** The document of an app, found to keep to the OpenAPI 3.1 schema. */
async function documentOf(
  addRoutes: (app: Express) => void,
  options: Partial<OpenApiOptions> = {},
): Promise<OpenApiDocument> {
  const app = express();
  addRoutes(app);
  const document = openapi(app, { info, ...options });
  // What is sent is the text.
  const sent = JSON.parse(JSON.stringify(document)) as Record<string, unknown>;
  expect(await validator.validate(structuredClone(sent))).toMatchObject({ valid: true });
  expectResolvedRefs(sent);
  return sent as unknown as OpenApiDocument;
}

function expectResolvedRefs(document: Record<string, unknown>): void {
  for (const [, ref = ''] of JSON.stringify(document).matchAll(/"\$ref":"([^"]*)"/g)) {
    const keys = ref.replace('#/', '').split('/');
    const target = keys.reduce<unknown>(
      (at, key) => (at as Record<string, unknown> | undefined)?.[key],
      document,
    );
    expect([ref, typeof target]).toEqual([ref, 'object']);
  }
}

function operationOf(document: OpenApiDocument, method: string, path: string): OpenApiOperation {
  const item = document.paths[path];
  expect(item, `${path} among ${Object.keys(document.paths).join(', ')}`).toBeDefined();
  return item?.[method] as OpenApiOperation;
}

describe('openapi', () => {
  it('describes params, query, headers and body of a route', async () => {
    const document = await documentOf((app) => {
      app.post(
        '/users/:id/notes',
        validate({
          params: z.object({ id: z.uuid().describe('Of the user') }),
          query: z.object({ dry: z.stringbool().optional(), tag: z.array(z.string()) }),
          headers: z.object({ 'x-tenant': z.string(), authorization: z.string() }),
          body: z.object({ text: z.string().max(100), at: z.date().optional() }),
        }),
        answer,
      );
    });
    expect(document).toMatchObject({ openapi: '3.1.0', info });
    expect(operationOf(document, 'post', '/users/{id}/notes')).toEqual({
      operationId: 'postUsersByIdNotes',
      parameters: [
        {
          name: 'id',
          in: 'path',
          required: true,
          description: 'Of the user',
          schema: expect.objectContaining({ type: 'string', format: 'uuid' }) as unknown,
        },
        { name: 'dry', in: 'query', required: false, schema: { type: 'string' } },
        { name: 'tag', in: 'query', required: true, schema: { type: 'array', items: { type: 'string' } } },
        { name: 'x-tenant', in: 'header', required: true, schema: { type: 'string' } },
      ],
      requestBody: {
        required: true,
        content: {
          'application/json': {
            schema: {
              type: 'object',
              properties: { text: { type: 'string', maxLength: 100 }, at: {} },
              required: ['text'],
            },
          },
        },
      },
      responses: {
        200: { description: 'OK' },
        400: {
          description: 'A parameter or header is not valid',
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
        },
        422: {
          description: 'The body is not valid',
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
        },
      },
    });
  });

  it('has every route, those of nested routers in full, with the path parameters of the template', async () => {
    const document = await documentOf((app) => {
      const users = Router({ mergeParams: true });
      users.get('/:user', answer);
      users.delete('/:user', answer);
      app.get('/', answer);
      app.use('/api/:tenant/users', users);
      app.get('/files/*path', answer);
      app.get('/export{.:format}', answer);
      app.get(/^\/legacy-(\d+)$/, answer);
      app.get('/:"odd name"', answer);
      app.get('/a\\:b/', answer);
    });
    expect(Object.keys(document.paths)).toEqual([
      '/',
      '/api/{tenant}/users/{user}',
      '/files/{path}',
      '/export.{format}',
      '/export',
      '/{odd name}',
      '/a:b',
    ]);
    expect(Object.keys(document.paths['/api/{tenant}/users/{user}'] ?? {})).toEqual(['get', 'delete']);
    const { operationId, parameters } = operationOf(document, 'get', '/api/{tenant}/users/{user}');
    expect(operationId).toBe('getApiByTenantUsersByUser');
    expect(parameters).toEqual([
      { name: 'tenant', in: 'path', required: true, schema: { type: 'string' } },
      { name: 'user', in: 'path', required: true, schema: { type: 'string' } },
    ]);
    expect(operationOf(document, 'get', '/').operationId).toBe('getRoot');
  });

  it('joins paths that differ only in the names of parameters, and handlers added in two places', async () => {
    const document = await documentOf((app) => {
      app.get('/users/:id', validate({ query: z.object({ a: z.string() }) }), answer);
      app.get('/users/:name', validate({ params: z.object({ name: z.string().max(9) }) }), answer);
      app.put('/users/:name', validate({ params: z.object({ name: z.string().max(9) }) }), answer);
    });
    expect(Object.keys(document.paths)).toEqual(['/users/{id}']);
    expect(operationOf(document, 'put', '/users/{id}').parameters).toEqual([
      { name: 'id', in: 'path', required: true, schema: { type: 'string', maxLength: 9 } },
    ]);
    expect(operationOf(document, 'get', '/users/{id}').parameters?.map(({ name }) => name)).toEqual([
      'id',
      'a',
    ]);
  });

  it('shows a route for all methods with those that the path has, or else with the common ones', async () => {
    const document = await documentOf((app) => {
      app.all('/items', validate({ query: z.object({ a: z.string() }) }));
      app.get('/items', answer);
      app.all('/proxy/*rest', answer);
    });
    expect(Object.keys(document.paths['/items'] ?? {})).toEqual(['get']);
    expect(operationOf(document, 'get', '/items').parameters).toHaveLength(1);
    expect(Object.keys(document.paths['/proxy/{rest}'] ?? {})).toEqual([
      'get',
      'put',
      'post',
      'delete',
      'patch',
    ]);
  });

  it('says what descriptions say, given to validate() or by describeRoute()', async () => {
    const document = await documentOf(
      (app) => {
        const describe = {
          tags: ['notes'],
          security: [{ bearer: [] }],
          contentType: 'text/csv',
          deprecated: true,
        };
        app.post('/notes', validate({ body: z.string().optional() }, { describe }), answer);
        app.get(
          '/ping',
          describeRoute({
            summary: 'Answers pong',
            description: 'For **load balancers**.',
            operationId: 'ping',
            responses: {
              200: { schema: z.object({ pong: z.literal(true), at: z.string().default('now') }) },
              204: {},
              503: { description: 'Draining' },
              default: { description: 'Else', schema: z.string(), contentType: 'text/plain' },
            },
          }),
          answer,
        );
        app.get('/secret', describeRoute({ hidden: true }), answer);
      },
      {
        servers: [{ url: 'https://search.example' }],
        tags: [{ name: 'notes' }],
        security: [],
        components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
        paths: { '/health': { get: { responses: { 200: { description: 'Healthy' } } } } },
      },
    );
    expect(document).toMatchObject({
      servers: [{ url: 'https://search.example' }],
      tags: [{ name: 'notes' }],
      components: { securitySchemes: { bearer: { scheme: 'bearer' } } },
    });
    expect(Object.keys(document.paths)).toEqual(['/notes', '/ping', '/health']);
    expect(operationOf(document, 'post', '/notes')).toMatchObject({
      tags: ['notes'],
      security: [{ bearer: [] }],
      deprecated: true,
      requestBody: { required: false, content: { 'text/csv': { schema: { type: 'string' } } } },
    });
    const ping = operationOf(document, 'get', '/ping');
    expect(ping).toMatchObject({
      operationId: 'ping',
      summary: 'Answers pong',
      description: 'For **load balancers**.',
    });
    expect(ping.responses).toEqual({
      200: {
        description: 'OK',
        content: {
          'application/json': { schema: expect.objectContaining({ required: ['pong', 'at'] }) as unknown },
        },
      },
      204: { description: 'No Content' },
      503: {
        description: 'Draining',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      },
      default: { description: 'Else', content: { 'text/plain': { schema: { type: 'string' } } } },
    });
  });

  it('leaves out what `include` does not want', async () => {
    const document = await documentOf(
      (app) => {
        app.get('/api/items', answer);
        app.get('/admin/items', answer);
      },
      { include: ({ method, path }) => method === 'GET' && path.startsWith('/api/') },
    );
    expect(Object.keys(document.paths)).toEqual(['/api/items']);
  });

  it('keeps operation ids apart', async () => {
    const document = await documentOf((app) => {
      app.get('/a-b', answer);
      app.get('/a/b', answer);
    });
    const ids = Object.keys(document.paths).map((path) => operationOf(document, 'get', path).operationId);
    expect(ids).toEqual(['getAB', 'getAB2']);
  });
});

describe('the schemas in the document', () => {
  const bodyOf = (document: OpenApiDocument, path: string): unknown =>
    operationOf(document, 'post', path).requestBody?.content['application/json']?.schema;

  it('come from arktype, and from valibot by toStandardJsonSchema or by the option toJsonSchema', async () => {
    const schema = v.object({ name: v.pipe(v.string(), v.minLength(2)) });
    const document = await documentOf(
      (app) => {
        app.post('/arktype', validate({ body: type({ name: 'string >= 2' }) }), answer);
        app.post('/standard', validate({ body: toStandardJsonSchema(schema) }), answer);
        app.post(
          '/option',
          validate({ body: schema, query: v.object({ page: v.optional(v.string()) }) }),
          answer,
        );
      },
      { toJsonSchema: (given) => ({ ...toJsonSchema(given as v.GenericSchema) }) },
    );
    for (const path of ['/arktype', '/standard', '/option']) {
      expect(bodyOf(document, path)).toMatchObject({
        type: 'object',
        properties: { name: { type: 'string', minLength: 2 } },
        required: ['name'],
      });
    }
    expect(operationOf(document, 'post', '/option').parameters).toEqual([
      { name: 'page', in: 'query', required: false, schema: { type: 'string' } },
    ]);
  });

  it('say nothing where the schema cannot', async () => {
    const document = await documentOf((app) => {
      const plain = v.object({ name: v.string() });
      app.post('/a/:id', validate({ body: plain, query: plain, params: plain }), answer);
      app.post('/b', validate({ body: z.object({ a: z.string() }).transform(() => 1) }), answer);
      app.post('/c', validate({ body: z.custom(() => true) }), answer);
    });
    expect(bodyOf(document, '/a/{id}')).toEqual({});
    expect(operationOf(document, 'post', '/a/{id}').parameters).toHaveLength(1);
    expect(bodyOf(document, '/b')).toMatchObject({ properties: { a: { type: 'string' } } });
  });

  it('share components by name, and keep different ones of one name apart', async () => {
    const User = z.object({ id: z.string() }).meta({ id: 'User' });
    const Other = z.object({ name: z.string() }).meta({ title: 'User' });
    const document = await documentOf((app) => {
      app.post('/one', validate({ body: User }), answer);
      app.post('/many', validate({ body: z.object({ users: z.array(User) }) }), answer);
      app.post('/other', validate({ body: z.object({ user: Other }) }), answer);
      const responses = { 200: { schema: User } };
      app.get('/one', describeRoute({ responses }), answer);
    });
    expect(bodyOf(document, '/one')).toEqual({ $ref: '#/components/schemas/User' });
    expect(bodyOf(document, '/many')).toMatchObject({
      properties: { users: { items: { $ref: '#/components/schemas/User' } } },
    });
    expect(Object.keys(document.components?.['schemas'] ?? {}).toSorted()).toEqual([
      'Error',
      'User',
      'User2',
    ]);
    expect(operationOf(document, 'get', '/one').responses['200']?.content).toEqual({
      'application/json': { schema: { $ref: '#/components/schemas/User2' } },
    });
  });

  it('may be recursive', async () => {
    const Tree = z.object({
      name: z.string(),
      get children() {
        return z.array(Tree);
      },
    });
    const document = await documentOf((app) => {
      app.post('/zod', validate({ body: Tree }), answer);
      app.post('/arktype', validate({ body: type({ name: 'string', 'children?': 'this[]' }) }), answer);
      app.post('/twice', validate({ body: z.object({ a: Tree, b: Tree }) }), answer);
    });
    expect(bodyOf(document, '/zod')).toEqual({ $ref: '#/components/schemas/postZod-body' });
    expect(document.components?.['schemas']?.['postZod-body']).toMatchObject({
      properties: { children: { items: { $ref: '#/components/schemas/postZod-body' } } },
    });
  });

  it('may be a query of fields that are not known one by one', async () => {
    const document = await documentOf((app) => {
      app.get('/', validate({ query: z.record(z.string(), z.string()) }), answer);
      const both = z.intersection(z.object({ a: z.string() }), z.object({ b: z.string().optional() }));
      app.get('/both', validate({ query: both }), answer);
    });
    expect(operationOf(document, 'get', '/').parameters).toMatchObject([
      { name: 'query', in: 'query', style: 'form', explode: true, schema: { type: 'object' } },
    ]);
    expect(operationOf(document, 'get', '/both').parameters).toMatchObject([
      { name: 'a', required: true },
      { name: 'b', required: false },
    ]);
  });

  it('are the error body that is given, in the place of the envelope', async () => {
    const addRoutes = (app: Express): void => {
      app.post('/', validate({ body: z.object({}) }), answer);
    };
    const problem = { type: 'object', properties: { title: { type: 'string' } } };
    const own = await documentOf(addRoutes, { errorSchema: problem });
    expect(own.components?.['schemas']?.['Error']).toEqual(problem);
    const given = await documentOf(addRoutes, { components: { schemas: { Error: problem, Other: {} } } });
    expect(given.components?.['schemas']).toEqual({ Error: problem, Other: {} });
  });
});

describe('openapiRoute', () => {
  it('serves the document as JSON with an ETag, and does not list itself', async () => {
    const app = express();
    app.get('/items', answer);
    app.get('/openapi.json', openapiRoute({ info }));
    const url = `${await listen(app)}/openapi.json`;

    const first = await fetch(url);
    expect(first.status).toBe(200);
    expect(first.headers.get('content-type')).toBe('application/json; charset=utf-8');
    const document = (await first.json()) as OpenApiDocument;
    expect(Object.keys(document.paths)).toEqual(['/items']);

    const etag = first.headers.get('etag') ?? '';
    // By itself fetch would ask for an answer that is not from a cache.
    const headers = { 'if-none-match': etag, 'cache-control': 'max-age=0' };
    expect((await fetch(url, { headers })).status).toBe(304);
  });

  it('has the routes that were added since the last request', async () => {
    const app = express();
    app.get('/openapi.json', openapiRoute({ info }));
    const url = `${await listen(app)}/openapi.json`;
    const paths = async (): Promise<string[]> =>
      Object.keys(((await (await fetch(url)).json()) as OpenApiDocument).paths);

    expect(await paths()).toEqual([]);
    app.get('/late', answer);
    expect(await paths()).toEqual(['/late']);
  });
});
