import express, { Router, type RequestHandler } from 'express';
import { describe, expect, it } from 'vitest';
import { formatRoutes, module, modules, routes, unless, when } from '@signalbox/compose';

const show: RequestHandler = (_req, res) => void res.end();

async function sampleApp(): Promise<express.Express> {
  const app = express();
  app.get('/ping', show);
  const users = Router().get('/:id', show, (_req, res) => void res.end());
  const api = Router().use('/users', users).post('/users', show);
  const handle = modules(
    app,
    [
      module('api', '/api/v1', () => api),
      module('down', '/down', () => Promise.reject(new Error('x'))),
      module('plain', '/plain', () => show),
      module('web', '/', () => Router().get('/', show)),
    ],
    { log: { info: () => undefined, error: () => undefined } },
  );
  await handle.ready;
  await handle.close();
  return app;
}

describe('routes', () => {
  it('lists the routes with their handlers, modules and states', async () => {
    expect(routes(await sampleApp())).toEqual([
      { method: 'GET', path: '/ping', handlers: ['show'], module: undefined, state: undefined },
      {
        method: 'GET',
        path: '/api/v1/users/:id',
        handlers: ['show', '<anonymous>'],
        module: 'api',
        state: 'ready',
      },
      { method: 'POST', path: '/api/v1/users', handlers: ['show'], module: 'api', state: 'ready' },
      { method: 'GET', path: '/', handlers: ['show'], module: 'web', state: 'ready' },
      { method: 'ALL', path: '/down/*', handlers: [], module: 'down', state: 'failed' },
      { method: 'ALL', path: '/plain/*', handlers: [], module: 'plain', state: 'ready' },
    ]);
  });

  it('lists an app without modules, and a router', () => {
    const router = Router().get('/a', show);
    expect(routes(express().use('/x', router))).toEqual([
      { method: 'GET', path: '/x/a', handlers: ['show'], module: undefined, state: undefined },
    ]);
    expect(routes(router)).toMatchObject([{ method: 'GET', path: '/a' }]);
    expect(routes(express())).toEqual([]);
  });

  it('lists the routes of a router that only some requests reach', () => {
    const router = (path: string): Router => Router().get(path, show);
    const app = express()
      .use('/paths', unless('/health', router('/a')))
      .use(
        '/function',
        unless(() => false, router('/b')),
      )
      .use(
        '/when',
        when(() => true, router('/c/:id')),
      );
    expect(routes(app).map(({ path }) => path)).toEqual(['/paths/a', '/function/b', '/when/c/:id']);
  });

  it('are formatted as lines with columns', async () => {
    expect(formatRoutes(routes(await sampleApp()))).toBe(
      [
        'GET   /ping',
        'GET   /api/v1/users/:id  api (ready)',
        'POST  /api/v1/users      api (ready)',
        'GET   /                  web (ready)',
        'ALL   /down/*            down (failed)',
        'ALL   /plain/*           plain (ready)',
      ].join('\n'),
    );
    expect(formatRoutes([])).toBe('');
  });
});
