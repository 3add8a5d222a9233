import express, { Router, type RequestHandler } from 'express';
import { describe, expect, it } from 'vitest';
import { declareMount, routeTable } from '../src/index.js';

const first: RequestHandler = (_req, _res, next) => next();
const second: RequestHandler = (_req, _res, next) => next();
const third: RequestHandler = (_req, _res, next) => next();

function lines(app: Parameters<typeof routeTable>[0]): string[] {
  return routeTable(app).map(({ method, path }) => `${method} ${path}`);
}

describe('routeTable', () => {
  it('lists every route with its methods, in the order in which Express tries them', () => {
    const app = express();
    app.get('/b', first).post('/b', first).get('/a', first);
    app.route('/c').put(first).delete(first);
    app.all('/d', first);

    expect(lines(app)).toEqual(['GET /b', 'POST /b', 'GET /a', 'PUT /c', 'DELETE /c', 'ALL /d']);
  });

  it('tells a path that takes every method in one line', () => {
    expect(routeTable(express().all('/x', first, second))).toEqual([
      { method: 'ALL', path: '/x', handlers: [first, second] },
    ]);
  });

  it('lists nested routers and mounted apps in full, at every place where they are mounted', () => {
    const users = Router().get('/', first).get(['/:id', '/by-name/:name'], first);
    const app = express().use('/v1/users', users).use(['/v2/users', '/people'], users);
    app.use('/admin', express().get('/', first).use('/deep', Router().get(/^\/x/, first)));

    expect(lines(app)).toEqual([
      'GET /v1/users',
      'GET /v1/users/:id',
      'GET /v1/users/by-name/:name',
      'GET /v2/users',
      'GET /v2/users/:id',
      'GET /v2/users/by-name/:name',
      'GET /people',
      'GET /people/:id',
      'GET /people/by-name/:name',
      'GET /admin',
      String.raw`GET /admin/deep^\/x`,
    ]);
  });

  it('lists the routes behind a declared middleware', () => {
    const through: RequestHandler = (_req, _res, next) => next();
    declareMount(through, Router().get('/a', first), Router().get('/b', first));

    expect(lines(express().use('/api', through))).toEqual(['GET /api/a', 'GET /api/b']);
  });

  it('tells the handlers of each method, with those of every method among them', () => {
    const app = express();
    app.route('/x').get(first).all(second).get(third).post(third);

    expect(routeTable(app)).toEqual([
      { method: 'GET', path: '/x', handlers: [first, second, third] },
      { method: 'ALL', path: '/x', handlers: [second] },
      { method: 'POST', path: '/x', handlers: [second, third] },
    ]);
  });

  it('lists a router by itself', () => {
    expect(lines(Router().get('/x', first))).toEqual(['GET /x']);
  });

  it('lists nothing for an app without routes', () => {
    expect(lines(express().use(first))).toEqual([]);
  });
});
