import { routeTable } from '@signalbox/context';
import { methodNotAllowed, notFound, UnauthorizedError } from '@signalbox/errors';
import { listen } from '@signalbox/testing';
import express, { Router, type RequestHandler } from 'express';
import { describe, expect, it } from 'vitest';
import { versions } from '../src/index.js';
import { get, observed, routerOf, says, send, serving } from './support.js';

const allowOf = (allow: unknown): string[] => String(allow).split(', ').toSorted();

describe('a version', () => {
  it('has what it does not override from the one before it', async () => {
    const url = await serving(
      versions({
        v1: routerOf('v1', '/a', '/b', '/c'),
        v2: routerOf('v2', '/b', '/c'),
        v3: routerOf('v3', '/c'),
      }),
    );
    const from = async (path: string) => (await get(url + path)).body['from'];
    expect(await from('/v3/a')).toBe('v1');
    expect(await from('/v3/b')).toBe('v2');
    expect(await from('/v3/c')).toBe('v3');
    expect(await from('/v2/c')).toBe('v2');
    expect(await from('/v1/c')).toBe('v1');
    expect((await get(`${url}/v3/a`)).body).toMatchObject({ version: 'v3', baseUrl: '/api/v3', url: '/a' });
  });

  it('has nothing of a newer one', async () => {
    const url = await serving(versions({ v1: routerOf('v1', '/a'), v2: routerOf('v2', '/b') }));
    expect((await get(`${url}/v1/b`)).status).toBe(404);
  });

  it('inherits from nobody, or from another one, where that is said', async () => {
    const handlers = { v1: routerOf('v1', '/a'), v2: routerOf('v2', '/b'), v3: routerOf('v3', '/c') };
    const alone = await serving(versions(handlers, { inherit: false }));
    expect((await get(`${alone}/v2/a`)).status).toBe(404);
    const chosen = await serving(versions(handlers, { inherit: { v2: false, v3: 'v1' } }));
    expect((await get(`${chosen}/v2/a`)).status).toBe(404);
    expect((await get(`${chosen}/v3/a`)).body).toMatchObject({ from: 'v1' });
    expect((await get(`${chosen}/v3/b`)).status).toBe(404);
  });

  it('inherits nested routers, single routes and methods of them', async () => {
    const users = (from: string) => Router({ mergeParams: true }).get('/:id', says(from));
    const v1 = Router().use('/teams/:team/users', users('v1').post('/', says('v1')).put('/:id', says('v1')));
    const v2 = Router().use('/teams/:team/users', users('v2'));
    const url = await serving(versions({ v1, v2 }));
    expect((await get(`${url}/v2/teams/t/users/7`)).body).toMatchObject({
      from: 'v2',
      params: { team: 't', id: '7' },
    });
    expect((await send('PUT', `${url}/v2/teams/t/users/7`)).body).toMatchObject({
      from: 'v1',
      params: { team: 't', id: '7' },
      baseUrl: '/api/v2/teams/t/users',
    });
    expect((await send('POST', `${url}/v2/teams/t/users`)).body).toMatchObject({ from: 'v1' });
    expect((await send('HEAD', `${url}/v2/teams/t/users/7`)).status).toBe(200);
  });

  it('keeps the handlers of parameters with the routes they belong to', async () => {
    const withParam = (from: string, path: string) => {
      const router = Router();
      router.param('id', (req, _res, next, id) => {
        req.params['loaded'] = `${from}:${String(id)}`;
        next();
      });
      return router.get(path, says(from));
    };
    const url = await serving(versions({ v1: withParam('v1', '/old/:id'), v2: withParam('v2', '/new/:id') }));
    expect((await get(`${url}/v2/old/1`)).body).toMatchObject({ params: { loaded: 'v1:1' } });
    expect((await get(`${url}/v2/new/1`)).body).toMatchObject({ params: { loaded: 'v2:1' } });
  });

  it('runs the middleware of the router whose route answers, and its own before it', async () => {
    const tagging = (tag: string, router: Router) =>
      Router()
        .use((_req, res, next) => {
          res.append('X-Ran', tag);
          next();
        })
        .use(router);
    const url = await serving(
      versions({ v1: tagging('v1', routerOf('v1', '/a')), v2: tagging('v2', routerOf('v2', '/b')) }),
    );
    expect((await get(`${url}/v2/a`)).headers['x-ran']).toBe('v2, v1');
    expect((await get(`${url}/v2/b`)).headers['x-ran']).toBe('v2');
    expect((await get(`${url}/v1/a`)).headers['x-ran']).toBe('v1');
  });

  it('does not fall back to an older one when it fails', async () => {
    const v2 = Router().get('/a', () => {
      throw Object.assign(new Error('broken'), { status: 409 });
    });
    const url = await serving(versions({ v1: routerOf('v1', '/a'), v2 }));
    expect((await get(`${url}/v2/a`)).status).toBe(409);
  });

  it('falls back where a handler passes on to the next route or router', async () => {
    const v2 = Router()
      .get('/route', (_req, _res, next) => next('route'))
      .get('/router', (_req, _res, next) => next('router'));
    const url = await serving(versions({ v1: routerOf('v1', '/route', '/router'), v2 }));
    expect((await get(`${url}/v2/route`)).body).toMatchObject({ from: 'v1' });
    expect((await get(`${url}/v2/router`)).body).toMatchObject({ from: 'v1' });
  });

  it('sees the URL that was asked for, whatever a newer one has made of it', async () => {
    const v2 = Router().use((req, _res, next) => {
      req.url = '/rewritten';
      next();
    });
    const url = await serving(versions({ v1: routerOf('v1', '/a'), v2 }));
    expect((await get(`${url}/v2/a`)).body).toMatchObject({ from: 'v1', url: '/a' });
  });
});

describe('OPTIONS', () => {
  it('lists the methods of all versions that are inherited, nested ones too', async () => {
    const v1 = Router()
      .post('/x', says('v1'))
      .use('/n', Router().delete('/:id', says('v1')));
    const v2 = Router()
      .get('/x', says('v2'))
      .use('/n', Router().get('/:id', says('v2')));
    const { app } = observed((_req, res, next) => {
      res.set('X-Content-Type-Options', 'kept');
      next();
    }, versions({ v1, v2 }));
    const url = await listen(app);
    const options = (path: string) => send('OPTIONS', `${url}/api${path}`);
    const both = await options('/v2/x');
    expect(both.status).toBe(200);
    expect(both.headers['allow']).toBe('GET, HEAD, POST');
    expect(both.text).toBe('GET, HEAD, POST');
    expect((await options('/v2/n/7')).headers['allow']).toBe('DELETE, GET, HEAD');
    expect((await options('/v1/x')).headers['allow']).toBe('POST');
    const nothing = await options('/v2/nope');
    expect(nothing.status).toBe(404);
    expect(nothing.headers['allow']).toBeUndefined();
    expect(nothing.headers['x-content-type-options']).toBe('kept');
  });

  it('sends the head of a handler’s own answer before its body, though that comes in pieces and looks alike', async () => {
    const v2 = Router().options('/x', async (_req, res) => {
      res.set('Allow', 'GET, HEAD').setHeader('Content-Type', 'text/plain');
      res.setHeader('Content-Length', 9);
      res.writeHead(203);
      res.write('GET, ');
      await new Promise(setImmediate);
      res.end('HEAD');
    });
    const url = await serving(versions({ v1: routerOf('v1', '/x'), v2 }));
    expect(await send('OPTIONS', `${url}/v2/x`)).toMatchObject({
      status: 203,
      headers: { allow: 'GET, HEAD' },
      text: 'GET, HEAD',
    });
  });

  it('lists them where a middleware sends the head before the end, as compression does', async () => {
    const early: RequestHandler = (_req, res, next) => {
      const end: unknown = Reflect.get(res, 'end');
      Reflect.set(res, 'end', (...args: unknown[]) => {
        if (!res.headersSent) res.writeHead(res.statusCode);
        return Reflect.apply(end as typeof res.end, res, args);
      });
      next();
    };
    const v1 = Router().get('/x', says('v1')).options('/own', says('v1'));
    const v2 = [early, Router().post('/x', says('v2')).post('/own', says('v2'))];
    const url = await serving(versions({ v1, v2 }));
    expect((await send('OPTIONS', `${url}/v2/x`)).headers['allow']).toBe('GET, HEAD, POST');
    expect((await send('OPTIONS', `${url}/v2/own`)).body).toMatchObject({ from: 'v1' });
    expect((await send('POST', `${url}/v2/x`)).body).toMatchObject({ from: 'v2' });
  });

  it('lists them where a middleware turns what it ends with into something else, as compression of everything does', async () => {
    const squeezing: RequestHandler = (_req, res, next) => {
      const end = res.end.bind(res);
      let hasEnded = false;
      Reflect.set(res, 'end', (chunk: string) => {
        if (hasEnded) return res;
        hasEnded = true;
        res.removeHeader('Content-Length');
        if (!res.headersSent) res.writeHead(res.statusCode);
        setImmediate(() => {
          res.write(chunk);
          end();
        });
        return res;
      });
      next();
    };
    const v1 = Router().get('/x', says('v1'));
    const v2 = [squeezing, Router().post('/x', says('v2'))];
    const url = await serving(versions({ v1, v2, v3: Router().put('/x', says('v3')) }));
    for (const [version, allow] of [
      ['v2', 'GET, HEAD, POST'],
      ['v3', 'GET, HEAD, POST, PUT'],
    ] as const) {
      const answer = await send('OPTIONS', `${url}/${version}/x`);
      expect([answer.headers['allow'], answer.text]).toEqual([allow, allow]);
    }
  });

  it('has an answer of its own from the version that gives one, or one that it inherits from', async () => {
    const own = (from: string) => Router().options('/x', says(from));
    const url = await serving(
      versions({ v1: own('v1'), v2: Router().get('/x', says('v2')), v3: own('v3').get('/x', says('v3')) }),
    );
    expect((await send('OPTIONS', `${url}/v2/x`)).body).toMatchObject({ from: 'v1', version: 'v2' });
    expect((await send('OPTIONS', `${url}/v3/x`)).body).toMatchObject({ from: 'v3' });
  });

  it('lists the methods of a route without a version beside those of the version', async () => {
    const neutral = Router()
      .use('/n', Router().get('/:id', says('neutral')))
      .get('/status', says('neutral'));
    const v1 = Router().post('/n/:id', says('v1'));
    const url = await serving(versions({ v1 }, { default: 'v1', neutral }));
    for (const path of ['/n/7', '/v1/n/7']) {
      const { status, headers } = await send('OPTIONS', url + path);
      expect([path, status, headers['allow']]).toEqual([path, 200, 'GET, HEAD, POST']);
    }
    const strict = await serving(versions({ v1 }, { neutral }));
    expect((await send('OPTIONS', `${strict}/status`)).headers['allow']).toBe('GET, HEAD');
  });

  it('is not refused by an older version where a newer one has the route', async () => {
    const v1 = Router()
      .use((_req, _res, next) => next(new UnauthorizedError('Sign in first')))
      .post('/x', says('v1'))
      .get('/old', says('v1'));
    const caught = Router().post('/x', says('v1')).use(notFound());
    const v2 = routerOf('v2', '/x');
    for (const oldest of [v1, caught]) {
      const url = await serving(versions({ v1: oldest, v2 }));
      const { status, headers } = await send('OPTIONS', `${url}/v2/x`);
      expect([status, headers['allow']]).toEqual([200, 'GET, HEAD, POST']);
    }
    const url = await serving(versions({ v1, v2 }));
    expect((await send('OPTIONS', `${url}/v2/old`)).status).toBe(401);
  });
});

describe('405', () => {
  const v1 = Router();
  v1.route('/x').get(says('v1')).post(says('v1')).all(methodNotAllowed());
  v1.use('/n', Router().get('/:id', says('v1')).all('/:id', methodNotAllowed('GET')));

  it('lists the methods of the newer versions, too', async () => {
    const v2 = Router()
      .put('/x', says('v2'))
      .use('/n', Router().patch('/:id', says('v2')));
    const url = await serving(versions({ v1, v2 }));
    const refused = await send('DELETE', `${url}/v2/x`);
    expect(refused.status).toBe(405);
    expect(refused.body.error?.type).toBe('method_not_allowed');
    expect(allowOf(refused.headers['allow'])).toEqual(['GET', 'HEAD', 'POST', 'PUT']);
    expect(allowOf((await send('DELETE', `${url}/v2/n/7?x`)).headers['allow'])).toEqual(['GET', 'PATCH']);
    expect(allowOf((await send('DELETE', `${url}/v1/x`)).headers['allow'])).toEqual(['GET', 'HEAD', 'POST']);
    expect((await send('POST', `${url}/v2/x`)).body).toMatchObject({ from: 'v1' });
  });

  it('lists those of a route without a version, too, where the URL names none', async () => {
    const neutral = Router().get('/ping', says('neutral'));
    const posting = Router();
    posting.route('/ping').post(says('v1')).all(methodNotAllowed());
    const url = await serving(versions({ v1: posting }, { default: 'v1', neutral }));
    expect((await get(`${url}/ping`)).body).toMatchObject({ from: 'neutral' });
    expect(allowOf((await send('DELETE', `${url}/ping`)).headers['allow'])).toEqual(['GET', 'HEAD', 'POST']);
    expect(allowOf((await send('DELETE', `${url}/v1/ping`)).headers['allow'])).toEqual(['POST']);
  });

  it('of a version ends what it would inherit', async () => {
    const v2 = Router();
    v2.route('/x').get(says('v2')).all(methodNotAllowed());
    const url = await serving(versions({ v1, v2 }));
    const refused = await send('POST', `${url}/v2/x`);
    expect(refused.status).toBe(405);
    expect(allowOf(refused.headers['allow'])).toEqual(['GET', 'HEAD']);
  });
});

describe('the route table', () => {
  it('lists for each version what it serves, its own and inherited, and not what it overrides', () => {
    const oldSearch = says('v1');
    const newSearch = says('v2');
    const users = Router().get('/:id', says('users')).delete('/:id', says('users'));
    const newUsers = Router().get('/:userId', says('new users'));
    const v1 = Router().get('/search', oldSearch).get('/me', says('v1')).use('/users', users);
    const v2 = Router().get('/search', newSearch).use('/users', newUsers);
    const app = express();
    app.use('/api', versions({ v1, v2 }, { default: 'v2' }));
    const table = routeTable(app);
    const rows = table.map(({ method, path }) => `${method} ${path}`);
    expect(rows.filter((row) => row.includes('/v1/'))).toEqual([
      'GET /api/v1/search',
      'GET /api/v1/me',
      'GET /api/v1/users/:id',
      'DELETE /api/v1/users/:id',
    ]);
    expect(rows.filter((row) => row.includes('/v2/'))).toEqual([
      'GET /api/v2/search',
      'GET /api/v2/users/:userId',
      'GET /api/v2/me',
      'DELETE /api/v2/users/:id',
    ]);
    const search = table.filter(({ path }) => path === '/api/v2/search');
    expect(search.map(({ handlers }) => handlers)).toEqual([[newSearch]]);
    expect(table.filter(({ path }) => path === '/api/search').map(({ handlers }) => handlers[0])).toEqual([
      newSearch,
      oldSearch,
    ]);
  });

  it('ends where a router is mounted in itself', () => {
    const loop = Router();
    loop.use('/again', loop).get('/x', says('loop'));
    const app = express();
    app.use(versions({ v1: loop }));
    expect(routeTable(app).map(({ path }) => path)).toContain('/v1/x');
  });
});
